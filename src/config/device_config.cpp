#include "src/config/device_config.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "adapters/point_keys.h"
#include "adapters/registry.h"
#include "core/record.h"

namespace baudbridge {
namespace {

constexpr Duration kDefaultEvery = std::chrono::seconds(1);

std::string place_text(const Place& place) {
  return (place.file ? *place.file : std::string()) + ":" + std::to_string(place.line);
}

std::string known_adapters() {
  std::string list;
  for (const auto& each : adapter_kinds()) list += (list.empty() ? "" : ", ") + std::string(each.name);
  return list;
}

/// An id that is required, valid, and the first of its kind.
std::string take_id(Settings& settings, const char* what, std::map<std::string, Place>& taken) {
  std::string id = settings.required_text("id", std::string("what the ") + what + " is called, like id = \"boiler-2\"");
  if (id.empty()) return id;
  if (!valid_id(id)) {
    settings.problem("id", "invalid id " + in_quotes(id) + "; use 1 to 64 letters (a-z, A-Z), digits, _ or -");
    return {};
  }
  const auto [other, is_new] = taken.emplace(id, settings.node("id")->place);
  if (!is_new) {
    settings.problem(
        "id", std::string("there is a ") + what + " " + in_quotes(id) + " already, at " + place_text(other->second));
    return {};
  }
  return id;
}

const std::string* text_of(const ConfigNode& table, const std::string& key) {
  const ConfigNode* node = table.find(key);
  return node == nullptr ? nullptr : std::get_if<std::string>(&node->value);
}

ConfigNode without_points(const ConfigNode& device) {
  ConfigNode result = device;
  if (auto* table = std::get_if<ConfigTable>(&result.value)) {
    std::erase_if(*table, [](const auto& entry) { return entry.first == "point"; });
  }
  return result;
}

/// The profile's points, each overridden by the device's point of the same id, then the device's other points.
ConfigArray merged_points(const ConfigArray& of_profile, const ConfigArray& of_device) {
  ConfigArray result = of_profile;
  for (const auto& point : of_device) {
    const std::string* id = text_of(point, "id");
    const auto same = std::find_if(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(of_profile.size()),
                                   [&](const ConfigNode& known) {
                                     const std::string* known_id = text_of(known, "id");
                                     return id != nullptr && known_id != nullptr && *known_id == *id;
                                   });
    if (same == result.begin() + static_cast<std::ptrdiff_t>(of_profile.size())) {
      result.push_back(point);
    } else {
      *same = merged(*same, point);
    }
  }
  return result;
}

/// One [[device]] after its profile was merged in. The nodes stay where they are while adapters parse them.
struct Device {
  ConfigNode own;      ///< without points
  ConfigArray points;  ///< those of `only`, if it was given
  std::string bus;
  bool has_every = false;
};

class BusParser {
 public:
  BusParser(Settings& root, ProfileFolders& profiles, bool complete)
      : root_(root), profiles_(profiles), complete_(complete) {}

  std::vector<BusPlan> parse() {
    std::vector<Settings> buses = root_.tables("bus");
    std::vector<Settings> devices = root_.tables("device");
    std::vector<BusPlan> plans;
    plans.reserve(buses.size());
    for (auto& bus : buses) {
      plans.push_back(parse_bus_head(bus));
      if (!plans.back().id.empty()) bus_names_.emplace_back(plans.back().id);
    }
    std::vector<bool> taken(devices.size(), false);
    for (std::size_t b = 0; b < buses.size(); ++b) {
      std::vector<Settings*> on_it;
      for (std::size_t d = 0; d < devices.size(); ++d) {
        if (taken[d] || plans[b].id.empty() || bus_of(devices[d]) != plans[b].id) continue;
        taken[d] = true;
        on_it.push_back(&devices[d]);
      }
      parse_bus(buses[b], on_it, plans[b]);
    }
    for (std::size_t d = 0; d < devices.size(); ++d) {
      if (taken[d]) continue;
      DevicePlan without_bus;  // its other problems are reported all the same
      (void)parse_device(devices[d], nullptr, without_bus);
    }
    std::erase_if(plans, [](const BusPlan& plan) { return plan.id.empty() || !plan.make; });
    return plans;
  }

 private:
  std::vector<Problem>& problems() { return root_.problems(); }

  BusPlan parse_bus_head(Settings& bus) {
    BusPlan plan;
    plan.id = take_id(bus, "bus", bus_ids_);
    plan.adapter = bus.required_text("adapter", "one of " + known_adapters());
    return plan;
  }

  const AdapterKind* find_kind(Settings& bus, const std::string& adapter) {
    if (adapter.empty()) return nullptr;
    const AdapterKind* kind = find_adapter_kind(adapter);
    if (kind != nullptr) return kind;
    std::vector<std::string_view> known;
    for (const auto& each : adapter_kinds()) known.push_back(each.name);
    const std::string near = nearest(adapter, known);
    bus.problem("adapter", "must be one of " + known_adapters() + ", not " + in_quotes(adapter) +
                               (near.empty() ? "" : "; did you mean " + in_quotes(near) + "?"));
    return near.empty() ? nullptr : find_adapter_kind(near);  // so that the other problems are reported, too
  }

  /// The bus whose adapter checks the device: the one that it names, or the nearest name.
  std::string bus_of(const Settings& device) const {
    const std::string* bus = text_of(device.self(), "bus");
    if (bus == nullptr || bus->empty()) return "";
    if (std::find(bus_names_.begin(), bus_names_.end(), *bus) != bus_names_.end() || !complete_) return *bus;
    return nearest(*bus, bus_names_);
  }

  void parse_bus(Settings& bus, const std::vector<Settings*>& devices, BusPlan& plan) {
    const AdapterKind* kind = find_kind(bus, plan.adapter);
    plan.devices.resize(devices.size());
    std::vector<DeviceSettings> settings;
    std::vector<bool> has_every;
    for (std::size_t i = 0; i < devices.size(); ++i) {
      settings.push_back(parse_device(*devices[i], kind, plan.devices[i]));
      has_every.push_back(settings.back().device.has("every"));
    }
    if (kind == nullptr) return;  // the other keys cannot be checked without an adapter
    kind->parse(bus, settings, plan);
    check_port(bus);
    check_serve(bus, plan);
    bus.finish();
    for (std::size_t i = 0; i < settings.size(); ++i) {
      finish_device(settings[i], has_every[i]);
    }
    if (devices.empty() && complete_ && !plan.id.empty() && !plan.sharing) {
      bus.warning("id", "bus " + in_quotes(plan.id) + " has no device: it is opened, and nothing is read from it");
    }
  }

  /// A serial port is one bus's: the second would find it taken.
  void check_port(Settings& bus) {
    const std::string* port = text_of(bus.self(), "port");
    if (port == nullptr || port->empty()) return;
    const auto [other, is_new] = ports_.emplace(*port, bus.self().find("port")->place);
    if (is_new) return;
    bus.warning("port", *port + " belongs to another bus already, at " + place_text(other->second) +
                            ", and this one will find it taken: devices on one line are devices of one [[bus]]");
  }

  /// An address is one server's.
  void check_serve(Settings& bus, const BusPlan& plan) {
    if (!plan.sharing) return;
    const auto [other, is_new] = served_.emplace(plan.sharing->address, bus.self().find("serve")->place);
    if (is_new) return;
    bus.problem("serve", plan.sharing->address + " serves another bus already, at " + place_text(other->second) +
                             ": must be an address and port of its own");
  }

  void finish_device(DeviceSettings& settings, bool has_every) {
    DevicePlan& plan = *settings.plan;
    if (plan.unsolicited && !has_every && plan.every == kDefaultEvery) plan.every = Duration::zero();
    for (auto& point : settings.points) point.finish();
    settings.device.finish();
    if (plan.points.empty() && !plan.unsolicited) {
      settings.device.warning("id", "device " + in_quotes(plan.id) +
                                        " has no points: nothing is read from it. Name a profile, "
                                        "or write [[device.point]]");
    }
  }

  /// The keys that every device has; the profile merged in. Those of the adapter are left for its parser.
  DeviceSettings parse_device(Settings& original, const AdapterKind* kind, DevicePlan& plan) {
    const Profile* profile = find_profile(original, kind);
    ConfigNode& own = nodes_.emplace_back(without_points(original.self()));
    if (profile != nullptr) own = merged(profile->device, own);
    DeviceSettings result{Settings(own, "device", problems()), {}, &plan};
    Settings& device = result.device;
    plan.id = take_id(device, "device", device_ids_);
    if (plan.id == kBridgeDevice) {
      device.problem("id", "\"bridge\" is the gateway's own name in topics: choose another id");
    }
    check_bus(device);
    for (const char* key : {"profile", "point"}) (void)device.has(key);  // read elsewhere, and known
    plan.every = device.duration("every", kDefaultEvery);
    ConfigNode& points = nodes_.emplace_back();
    points.value = chosen_points(original, device, profile);
    for (const auto& node : std::get<ConfigArray>(points.value)) {
      const bool from_profile = node.place.file != own.place.file;
      result.points.emplace_back(node, from_profile ? "point" : "device.point", problems());
      plan.points.push_back(parse_common_point(result.points.back()));
    }
    return result;
  }

  /// Merges points by id; keeps only those that `only` names, if it is there.
  ConfigArray chosen_points(Settings& original, Settings& device, const Profile* profile) {
    ConfigArray own;
    for (const auto& point : original.tables("point")) own.push_back(point.self());
    check_unique(own);
    const std::vector<std::string> only = device.texts("only", {});
    if (profile == nullptr) {
      if (device.has("only")) device.problem("only", "chooses among the points of a profile, and there is none");
      return own;
    }
    ConfigArray of_profile = profile->points;
    if (device.has("only")) keep_only(device, only, of_profile);
    return merged_points(of_profile, own);
  }

  void keep_only(Settings& device, const std::vector<std::string>& only, ConfigArray& points) {
    std::vector<std::string_view> known;
    for (const auto& point : points) {
      if (const std::string* id = text_of(point, "id")) known.emplace_back(*id);
    }
    for (const auto& name : only) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const std::string near = nearest(name, known);
      device.problem("only", "the profile has no point " + in_quotes(name) +
                                 (near.empty() ? "" : "; did you mean " + in_quotes(near) + "?"));
    }
    std::erase_if(points, [&](const ConfigNode& point) {
      const std::string* id = text_of(point, "id");
      return id != nullptr && std::find(only.begin(), only.end(), *id) == only.end();
    });
  }

  void check_unique(const ConfigArray& points) {
    std::map<std::string, Place> taken;
    for (const auto& point : points) {
      const std::string* id = text_of(point, "id");
      if (id == nullptr) continue;
      const auto [other, is_new] = taken.emplace(*id, point.find("id")->place);
      if (!is_new) {
        problems().push_back({point.find("id")->place, "id: this device has a point " + in_quotes(*id) +
                                                           " already, at " + place_text(other->second)});
      }
    }
  }

  const Profile* find_profile(Settings& device, const AdapterKind* kind) {
    const std::string name = device.text("profile", "");
    if (name.empty()) {
      if (device.has("profile") && text_of(device.self(), "profile") != nullptr) {
        device.problem("profile", "must not be empty: leave the line out, or name a profile");
      }
      return nullptr;
    }
    const Profile* profile = profiles_.find(name, problems());
    if (!profiles_.exists(name)) {
      const std::vector<std::string> names = profiles_.names();
      const std::vector<std::string_view> known(names.begin(), names.end());
      const std::string near = nearest(name, known);
      device.problem("profile", "unknown profile " + in_quotes(name) +
                                    (near.empty() ? "; 'baudbridge profiles' lists them"
                                                  : "; did you mean " + in_quotes(near) + "?"));
    }
    if (profile == nullptr || kind == nullptr || profile->adapter.empty() || profile->adapter == kind->profile)
      return profile;
    device.problem("profile", in_quotes(name) + " is for " + profile->adapter +
                                  " devices, but this device is on a bus with adapter " + in_quotes(kind->name));
    return nullptr;
  }

  void check_bus(Settings& device) {
    const std::string bus = device.required_text("bus", "the id of the [[bus]] that it is on");
    if (bus.empty() || !complete_ || std::find(bus_names_.begin(), bus_names_.end(), bus) != bus_names_.end()) return;
    const std::string near = nearest(bus, bus_names_);
    std::string list;
    for (const auto name : bus_names_) list += (list.empty() ? "" : ", ") + std::string(name);
    device.problem("bus", "unknown bus " + in_quotes(bus) +
                              (!near.empty()         ? "; did you mean " + in_quotes(near) + "?"
                               : !bus_names_.empty() ? "; there are " + list
                               : root_.has("bus")    ? ": correct the id of the [[bus]] first"
                                                     : ": none is configured, write a [[bus]]"));
  }

  Settings& root_;
  ProfileFolders& profiles_;
  bool complete_;
  std::deque<ConfigNode> nodes_;  ///< merged devices and their points: where the Settings look while adapters parse
  std::map<std::string, Place> bus_ids_;
  std::map<std::string, Place> ports_;
  std::map<std::string, Place> served_;  ///< addresses at which buses are shared
  std::map<std::string, Place> device_ids_;
  std::vector<std::string_view> bus_names_;
};

}  // namespace

std::vector<BusPlan> parse_buses(Settings& root, ProfileFolders& profiles, bool complete) {
  return BusParser(root, profiles, complete).parse();
}

}  // namespace baudbridge
