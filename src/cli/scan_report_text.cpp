#include "src/cli/scan_report_text.h"

#include <algorithm>
#include <cctype>

#include "adapters/modbus/knowledge.h"
#include "core/config_tree.h"
#include "src/cli/text_table.h"

namespace baudbridge::scan {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostGarbledListed = 4;
constexpr std::size_t kIdentificationWidth = 40;
constexpr std::size_t kIdSize = 24;

std::string plural(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

/// Vendor, product, version; the rest as it comes.
std::string identification_text(const Identification& identification) {
  std::string text;
  for (const auto& [object, words] : identification) text += (text.empty() ? "" : ", ") + words;
  return printable(text);
}

std::string milliseconds(Duration duration) {
  return std::to_string(std::chrono::ceil<Milliseconds>(duration).count()) + " ms";
}

/// A key's text in TOML's basic form.
/// What an id can hold of a name: "ttyUSB0", "10_0_0_5".
std::string id_from(const std::string& name) {
  std::string id;
  for (const char c : name.substr(name.rfind('/') + 1)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-') {
      id += c;
    } else if (!id.empty() && id.back() != '_') {
      id += '_';
    }
  }
  return id.empty() ? "bus" : id;
}

std::string bus_id(const Searched& searched, const LineSetting& setting, bool several) {
  std::string id = "modbus";
  const Target& target = searched.target;
  const std::string name = target.serial() ? target.port : target.endpoint.host;
  // The name of a USB port means little to users, and a serial number makes it long.
  const std::string short_name = id_from(name);
  if (!name.starts_with("usb:") && short_name.size() <= kIdSize) id = "modbus-" + short_name;
  return several ? id + "-" + std::to_string(setting.baud) + parity_word(setting.parity) : id;
}

std::string bus_text(const Searched& searched, const LineSetting& setting, const std::string& id, bool echo) {
  const Target& target = searched.target;
  std::string text = "[[bus]]\nid = \"" + id + "\"\n";
  if (!target.serial()) {
    text += std::string("adapter = \"") + (target.transport == ModbusTransport::tcp ? "modbus-tcp" : "modbus-rtu-tcp") +
            "\"\nhost = " + toml_string(printable(target.endpoint.host)) + "\n";
    return text + "tcp_port = " + std::to_string(target.endpoint.tcp_port) + "\n";
  }
  text += "adapter = \"modbus-rtu\"\nport = " + toml_string(printable(searched.port_name)) + "\n";
  text += "baud = " + std::to_string(setting.baud) + "\nparity = \"" + parity_word(setting.parity) + "\"\n";
  text += "stop_bits = " + std::to_string(setting.stop_bits) + "\n";
  return echo ? text + "echo = true   # the line gives back what is sent\n" : text;
}

/// The others that fit as well, for a remark.
std::string others_text(const FoundUnit& unit) {
  std::string text;
  for (const Fit& fit : unit.fits) {
    if (&fit == &unit.fits.front() || fit.grade < Grade::likely) continue;
    text += (text.empty() ? "" : ", ") + fit.profile;
  }
  return text;
}

std::string device_text(const FoundUnit& unit, const std::string& id, const std::string& bus) {
  std::string text =
      "[[device]]\nid = \"" + id + "\"\nbus = \"" + bus + "\"\naddress = " + std::to_string(unit.unit) + "\n";
  if (!unit.identification.empty()) text += "# identification: " + identification_text(unit.identification) + "\n";
  if (unit.slow) {
    const auto longest = 2 * std::chrono::ceil<Milliseconds>(unit.response).count();
    text +=
        "timeout = \"" + std::to_string(longest) + "ms\"   # it answered after " + milliseconds(unit.response) + "\n";
  }
  const bool chosen = !unit.fits.empty() && unit.fits.front().grade >= Grade::likely;
  if (!unit.fits.empty()) {
    const Fit& best = unit.fits.front();
    text += std::string(chosen ? "" : "# ") + "profile = " + toml_string(printable(best.profile)) +
            "   # a guess: " + printable(fit_text(best)) + "\n";
    if (const auto others = others_text(unit); !others.empty()) text += "# these fit as well: " + others + "\n";
  }
  if (chosen) return text;
  const std::string mark = unit.readable ? "" : "# ";
  text += "\n" + mark +
          "[[device.point]]   # for its register list see its manual; docs/modbus.md explains the words\n" + mark +
          "id = \"register_0\"\n" + mark + "table = \"" +
          std::string(table_word(unit.readable.value_or(Table::holding))) + "\"\n" + mark + "register = 0\n";
  return text;
}

std::string who(const GarbledUnit& garbled, const Searched& searched) {
  return (searched.target.serial() ? setting_text(garbled.setting) + ": " : std::string()) + "unit " +
         std::to_string(garbled.unit);
}

void add_garbled(const ScanReport& report, const Searched& searched, std::vector<std::string>& lines) {
  std::size_t listed = 0;
  for (const GarbledUnit& each : report.garbled) {
    const bool line_is_right = std::any_of(report.found.begin(), report.found.end(),
                                           [&](const FoundUnit& unit) { return unit.setting == each.setting; });
    if (!line_is_right && !report.found.empty()) continue;  // that was not the bus's speed
    if (++listed > kMostGarbledListed) continue;
    lines.push_back(who(each, searched) + ": no device, but bytes were received (" + each.what + ")" +
                    (line_is_right ? ": perhaps two devices with this unit id" : ""));
  }
  if (listed > kMostGarbledListed)
    lines.push_back("and " + std::to_string(listed - kMostGarbledListed) + " more like these");
}

/// Nothing was found: what it mostly is.
void add_hints(const ScanReport& report, const Searched& searched, std::vector<std::string>& lines) {
  const bool received = !report.garbled.empty();
  if (searched.target.serial()) {
    lines.emplace_back(received ? "no device found, but bytes were received. Check in this order:"
                                : "no device found, and no byte was received. Check in this order:");
    if (!received)
      lines.emplace_back("- are A and B (D+ and D-) swapped? Makers do not agree on the letters: try the other way");
    if (!received) lines.emplace_back("- has the device power, and is Modbus RTU switched on in its menu?");
    lines.emplace_back(
        "- is the ground connected as well, and 120 ohms of termination at both ends of the cable, not elsewhere?");
    lines.emplace_back("- does anything else ask on this line? Only one master may");
    lines.emplace_back(
        "- is its speed, parity or unit id outside what was tried (" + plural(report.tried.size(), "line setting") +
        ", " + plural(searched.order.units.size(), "unit id") + ")? See --baud, --parity, --stop-bits, --units");
    lines.emplace_back("- does it need longer? --timeout 1s");
    return;
  }
  lines.emplace_back("no device found behind " + searched.target.text() + ". In this order:");
  if (report.gateway) {
    lines.emplace_back(
        "- the gateway responds that no device answers it: check wiring, power, speed and parity of its serial side");
  } else if (searched.target.transport == ModbusTransport::tcp) {
    lines.emplace_back(
        "- is it Modbus TCP? A serial device server without a gateway passes on RTU frames: scan rtu-tcp:HOST:PORT");
  }
  lines.emplace_back("- is its unit id outside what was tried (" + plural(searched.order.units.size(), "unit id") +
                     ")? See --units");
  lines.emplace_back("- does the device allow a second client?");
  lines.emplace_back("- does it need longer? --timeout 3s");
}

}  // namespace

std::string about(Duration duration) {
  if (duration < 2min) return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count()) + " s";
  return std::to_string(std::chrono::ceil<std::chrono::minutes>(duration).count()) + " min";
}

std::string plan_text(const Searched& searched) {
  const SearchOrder& order = searched.order;
  const Estimate time = estimate(order);
  const std::string units = plural(order.units.size(), "unit id");
  const std::string settings = plural(order.settings.size(), "line setting");
  std::string text = "looking at " + printable(searched.target.text()) + ": ";
  if (order.settings.size() == 1) {
    text +=
        units + (order.serial ? " at " + setting_text(order.settings.front()) : "") + ", at most " + about(time.all);
  } else if (order.all_settings) {
    text += units + " at " + settings + ", at most " + about(time.all);
  } else {
    text += "likely unit ids at " + settings + ", beginning with " + setting_text(order.settings.front()) +
            ": at most " + about(time.likely) + "\n  then " + units +
            " at the setting where a device answered: " + about(time.one) + "\n  or, if none did, " + units +
            " at all of them: " + about(time.all);
  }
  return text + "\nThen a closer look at each device found. Ctrl-C ends it and prints what was found.";
}

std::vector<std::string> device_lines(const ScanReport& report, const Searched& searched) {
  if (report.found.empty()) return {};
  TextTable table;
  std::vector<std::string> head{"UNIT"};
  if (searched.target.serial()) head.emplace_back("LINE");
  head.insert(head.end(), {"ANSWERED IN", "ANSWERED", "IDENTIFICATION", "PROFILE", "WHY"});
  table.row(head);
  for (const FoundUnit& unit : report.found) {
    std::vector<std::string> row{report.responds_to_all ? "any" : std::to_string(unit.unit)};
    if (searched.target.serial()) row.push_back(setting_text(unit.setting));
    const auto identification = identification_text(unit.identification);
    row.insert(row.end(), {milliseconds(unit.response), printable(unit.answered),
                           identification.empty() ? "-" : cut_to(identification, kIdentificationWidth)});
    const std::size_t indent = row.size();
    if (unit.fits.empty()) {
      row.insert(row.end(), {"-", unit.fits_known ? "no known profile fits" : "not looked at"});
      table.row(row);
    }
    for (const Fit& fit : unit.fits) {
      if (&fit != &unit.fits.front()) row = std::vector<std::string>(indent);
      row.insert(row.end(), {printable(fit.profile), printable(fit_text(fit))});
      table.row(row);
    }
  }
  return table.lines();
}

std::string config_text(const ScanReport& report, const Searched& searched) {
  if (report.found.empty()) return "";
  std::vector<LineSetting> settings;
  for (const FoundUnit& unit : report.found) {
    if (std::find(settings.begin(), settings.end(), unit.setting) == settings.end()) settings.push_back(unit.setting);
  }
  const bool several = settings.size() > 1;
  std::string text = "# What 'baudbridge scan' found; give the devices names of your own.\n";
  if (several) text += "# A port can have one line setting at a time: keep one of these buses.\n";
  for (const LineSetting& setting : settings) {
    const std::string bus = bus_id(searched, setting, several);
    text += bus_text(searched, setting, bus, report.echo);
    for (const FoundUnit& unit : report.found) {
      if (unit.setting != setting) continue;
      const std::string prefix = several ? std::to_string(setting.baud) + parity_word(setting.parity) + "-" : "";
      text += "\n" + device_text(unit, prefix + "unit-" + std::to_string(unit.unit), bus);
    }
    if (&setting != &settings.back()) text += "\n";
  }
  return text;
}

std::vector<std::string> remark_lines(const ScanReport& report, const Searched& searched) {
  std::vector<std::string> lines = report.notes;
  if (report.echo) lines.emplace_back("the line gives back what is sent, as two-wire adapters with echo do");
  if (report.responds_to_all) {
    lines.emplace_back("it answers to every unit id: one device, any address will do");
  }
  for (const FoundUnit& unit : report.found) {
    if (!unit.doubt.empty()) lines.push_back("unit " + std::to_string(unit.unit) + ": " + unit.doubt);
    if (unit.slow) {
      lines.push_back("unit " + std::to_string(unit.unit) + " is slow (" + milliseconds(unit.response) +
                      "): others like it may have been missed, --timeout " +
                      std::to_string(2 * std::chrono::ceil<Milliseconds>(unit.response).count()) + "ms finds them");
    }
  }
  add_garbled(report, searched, lines);
  if (report.error && report.error->kind == Fault::in_use) {
    lines.emplace_back(
        "if that is the service: 'systemctl stop baudbridge', scan, 'systemctl start baudbridge'; a line has one "
        "master "
        "at a time");
  }
  if (report.found.empty() && report.complete) add_hints(report, searched, lines);
  if (!report.complete && !report.error) lines.emplace_back("ended before everything was looked at");
  for (std::string& line : lines) line = printable(line);
  return lines;
}

std::string progress_text(const Progress& progress) {
  std::string text = progress.doing;
  if (progress.found > 0) text += ", " + std::to_string(progress.found) + " found";
  if (progress.left > Duration::zero()) text += ", at most " + about(progress.left) + " left";
  return text;
}

}  // namespace baudbridge::scan
