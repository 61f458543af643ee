#include <iostream>
#include <string>

#include "bridge/json_text.h"
#include "src/cli/commands.h"
#include "src/cli/config_report.h"
#include "src/cli/text_table.h"
#include "src/config/config.h"

namespace baudbridge {
namespace {

std::size_t point_count(const BusPlan& bus) {
  std::size_t count = 0;
  for (const auto& device : bus.devices) count += device.points.size();
  return count;
}

void print_table(const Config& config) {
  if (config.buses.empty()) return;
  TextTable table;
  table.row({"BUS", "ADAPTER", "DEVICES", "POINTS", "LOAD", ""});
  for (const auto& bus : config.buses) {
    table.row({bus.id, bus.adapter, std::to_string(bus.devices.size()), std::to_string(point_count(bus)),
               bus.load < 0 ? "-" : percent_text(bus.load), printable(bus.load_detail)});
  }
  for (const auto& line : table.lines()) std::cout << line << '\n';
}

std::string bus_json(const BusPlan& bus) {
  std::string json;
  JsonObject object(json);
  object.text("id", bus.id).text("adapter", bus.adapter);
  object.number("devices", bus.devices.size()).number("points", point_count(bus));
  if (bus.load >= 0) object.number("load_percent", bus.load * 100.0);
  object.text("detail", bus.load_detail);
  if (bus.sharing) {
    object.key("serve");
    JsonObject serve(json);
    serve.text("address", bus.sharing->address).number("share_percent", bus.sharing->share * 100.0);
    serve.close();
  }
  object.close();
  return json;
}

void print_json(const Config& config) {
  std::string buses;
  for (const auto& bus : config.buses) buses += (buses.empty() ? "" : ",") + bus_json(bus);
  std::string json;
  JsonObject object(json);
  object.flag("good", config.good()).text("file", config.file).raw("problems", problems_json(config));
  object.raw("buses", "[" + buses + "]");
  object.close();
  std::cout << json << '\n';
}

int check(const Options& options) {
  Config config = load_config(options.config_file);
  add_load_warnings(config);
  if (config.good() && config.broker.servers.empty()) {
    config.problems.push_back({Place{std::make_shared<const std::string>(config.file)}, kUrlsMissing, true});
  }
  print_problems(config);
  if (options.json) {
    print_json(config);
  } else {
    print_table(config);
  }
  if (!config.good()) return kUsage;
  std::cerr << config.file << ": the configuration is valid\n";
  return kDone;
}

}  // namespace

Command check_command() {
  Command command;
  command.name = "check";
  command.summary = "reports all problems of the configuration, and the load of each bus";
  command.details =
      "Problems go to standard error as FILE:LINE:COLUMN: problem; remedy. The table of buses\n"
      "shows the load of each bus: the time on the wire of reading every point in its period, as a share of the time\n"
      "there is. Above 100 % the points cannot all be read as often as `every` requires.";
  command.run = check;
  return command;
}

}  // namespace baudbridge
