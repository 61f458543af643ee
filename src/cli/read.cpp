#include <algorithm>
#include <future>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/runtime/runner.h"
#include "bridge/json_text.h"
#include "src/cli/commands.h"
#include "src/cli/config_report.h"
#include "src/cli/text_table.h"
#include "src/config/config.h"

namespace baudbridge {
namespace {

constexpr Duration kDefaultTimeout = std::chrono::seconds(10);

/// What is to be read: device -> its points; no points: all of them. Empty: everything.
using Wanted = std::map<std::string, std::set<std::string>>;

const DevicePlan* find_device(const Config& config, const std::string& id) {
  for (const auto& bus : config.buses) {
    for (const auto& device : bus.devices) {
      if (device.id == id) return &device;
    }
  }
  return nullptr;
}

const Point* find_point(const DevicePlan& device, const std::string& id) {
  const auto found =
      std::find_if(device.points.begin(), device.points.end(), [&](const Point& point) { return point.id == id; });
  return found == device.points.end() ? nullptr : &*found;
}

std::string near_hint(const std::string& word, const std::vector<std::string_view>& known) {
  const std::string near = nearest(word, known);
  return near.empty() ? "" : "; did you mean " + near + "?";
}

/// "DEVICE" or "DEVICE/POINT", one of the configuration's.
Result<void> add_wanted(Wanted& wanted, const std::string& word, const Config& config) {
  const auto slash = word.find('/');
  const std::string device_id = word.substr(0, slash);
  const DevicePlan* device = find_device(config, device_id);
  if (device == nullptr) {
    std::vector<std::string_view> known;
    for (const auto& bus : config.buses) {
      for (const auto& each : bus.devices) known.emplace_back(each.id);
    }
    return Error{Fault::config, "unknown device \"" + device_id + "\"" + near_hint(device_id, known)};
  }
  if (slash == std::string::npos) {
    wanted[device_id].clear();
    wanted[device_id].insert("");  // all, whatever points are named besides
    return {};
  }
  const std::string point_id = word.substr(slash + 1);
  // An unsolicited device may send points that are not configured.
  if (find_point(*device, point_id) == nullptr && !device->unsolicited) {
    std::vector<std::string_view> known;
    for (const auto& each : device->points) known.emplace_back(each.id);
    return Error{Fault::config,
                 "device \"" + device_id + "\" has no point \"" + point_id + "\"" + near_hint(point_id, known)};
  }
  wanted[device_id].insert(point_id);
  return {};
}

bool is_wanted(const Wanted& wanted, const std::string& device, const std::string& point) {
  if (wanted.empty()) return true;
  const auto found = wanted.find(device);
  return found != wanted.end() && (found->second.contains("") || found->second.contains(point));
}

/// One device's readings, those that were asked for.
struct DeviceResult {
  const DevicePlan* device = nullptr;
  Sample sample;
};

/// In the order of the configuration; then the points that an unsolicited device sent in addition.
void sort_as_configured(std::vector<Reading>& readings, const std::vector<Point>& points) {
  const auto place = [&](const Reading& reading) {
    return std::find_if(points.begin(), points.end(), [&](const Point& point) { return point.id == reading.point; });
  };
  std::stable_sort(readings.begin(), readings.end(),
                   [&](const Reading& a, const Reading& b) { return place(a) < place(b); });
}

/// Reads all buses at the same time, each on a thread of its own.
std::vector<DeviceResult> read_all(const Config& config, const Wanted& wanted, Duration timeout) {
  const Clock clock;
  std::vector<std::pair<const BusPlan*, std::future<std::vector<Sample>>>> reading;
  for (const auto& bus : config.buses) {
    std::vector<bool> visited;
    for (const auto& device : bus.devices) visited.push_back(wanted.empty() || wanted.contains(device.id));
    if (std::find(visited.begin(), visited.end(), true) == visited.end()) continue;
    reading.emplace_back(&bus, std::async(std::launch::async, [&bus, &clock, timeout, visited] {
      return read_once(bus, clock, timeout, visited);
    }));
  }
  std::vector<DeviceResult> results;
  for (auto& [bus, samples] : reading) {
    for (auto& sample : samples.get()) {
      const DevicePlan* device = find_device(config, sample.device);
      if (device == nullptr || (!wanted.empty() && !wanted.contains(sample.device))) continue;
      std::erase_if(sample.readings, [&](const Reading& r) { return !is_wanted(wanted, sample.device, r.point); });
      sort_as_configured(sample.readings, device->points);
      results.push_back({device, std::move(sample)});
    }
  }
  return results;
}

std::string unit_of(const DeviceResult& result, const std::string& point) {
  const Point* known = find_point(*result.device, point);
  return known == nullptr ? "" : known->unit;
}

void print_table(const std::vector<DeviceResult>& results) {
  TextTable table;
  table.row({"DEVICE", "POINT", "VALUE", "UNIT"});
  for (const auto& result : results) {
    const std::string& device = result.sample.device;
    if (result.sample.readings.empty()) table.row({device, "-", "nothing to read", ""});
    for (const auto& reading : result.sample.readings) {
      const std::string unit = printable(unit_of(result, reading.point));
      if (reading.value) {
        table.row({device, printable(reading.point), printable(value_text(*reading.value)), unit});
      } else {
        const Error& why = reading.value.error();
        const std::string what = why.what.empty() ? "no value" : why.what;
        table.row({device, printable(reading.point), printable(what) + " (" + fault_word(why) + ")"});
      }
    }
  }
  for (const auto& line : table.lines()) std::cout << line << '\n';
}

std::string result_json(const DeviceResult& result) {
  std::string values, faults, reasons, units;
  JsonObject value_object(values), fault_object(faults), reason_object(reasons), unit_object(units);
  for (const auto& reading : result.sample.readings) {
    if (reading.value) {
      value_object.value(reading.point, *reading.value);
      const std::string unit = unit_of(result, reading.point);
      if (!unit.empty()) unit_object.text(reading.point, unit);
    } else {
      fault_object.text(reading.point, fault_word(reading.value.error()));
      reason_object.text(reading.point, reading.value.error().what);
    }
  }
  for (JsonObject* object : {&value_object, &fault_object, &reason_object, &unit_object}) object->close();
  std::string json;
  JsonObject object(json);
  object.text("device", result.sample.device).number("ts", result.sample.taken.utc.count());
  object.raw("values", values).raw("units", units).raw("faults", faults).raw("reasons", reasons);
  object.close();
  return json;
}

void print_json(const std::vector<DeviceResult>& results) {
  std::string json;
  for (const auto& result : results) json += (json.empty() ? "" : ",") + result_json(result);
  std::cout << '[' << json << "]\n";
}

bool all_read(const std::vector<DeviceResult>& results) {
  return std::all_of(results.begin(), results.end(), [](const DeviceResult& result) {
    const auto& readings = result.sample.readings;
    return !readings.empty() &&
           std::all_of(readings.begin(), readings.end(), [](const Reading& reading) { return bool(reading.value); });
  });
}

int read(const Options& options) {
  Duration timeout = kDefaultTimeout;
  if (const auto given = options.value("timeout")) {
    const auto parsed = parse_duration(*given);
    if (!parsed) {
      std::cerr << "baudbridge: --timeout: \"" << printable(*given)
                << "\" is an invalid duration; use a form such as \"10s\"\n";
      return kUsage;
    }
    timeout = *parsed;
  }
  const auto config = load_good_config(options);
  if (!config) return kUsage;
  Wanted wanted;
  for (const auto& word : options.words) {
    if (const auto added = add_wanted(wanted, word, *config); !added) {
      std::cerr << "baudbridge: " << printable(added.error().what) << '\n';
      return kUsage;
    }
  }
  const auto results = read_all(*config, wanted, timeout);
  if (results.empty()) std::cerr << config->file << ": no device is configured: there is nothing to read\n";
  if (options.json) {
    print_json(results);
  } else if (!results.empty()) {
    print_table(results);
  }
  return all_read(results) ? kDone : kFailed;
}

}  // namespace

Command read_command() {
  Command command;
  command.name = "read";
  command.arguments = "[DEVICE[/POINT]...]";
  command.summary = "reads once, without a broker, and prints a table";
  command.details =
      "Reads everything that is configured, or only the devices and points that are named. A point without a value is\n"
      "shown with the reason. The service must not have the serial port open meanwhile. Exit status 1 if something "
      "could\n"
      "not be read.";
  command.run = read;
  command.max_words = Command::kAnyNumber;
  command.options = {{"timeout", "DURATION", "how long to wait for unsolicited devices; default: 10s"}};
  return command;
}

}  // namespace baudbridge
