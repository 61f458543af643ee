#include <iostream>

#include "src/cli/commands.h"
#include "src/cli/config_report.h"
#include "src/cli/status_text.h"
#include "src/control/service_client.h"
#include "src/json.h"

namespace baudbridge {
namespace {

int fail(const Error& error) {
  std::cerr << "baudbridge: " << error.what << "\n";
  return kFailed;
}

int run(const Options& options) {
  const auto config = load_service_config(options);
  if (!config) return kUsage;
  auto service = ServiceClient::connect(*config);
  if (!service) return fail(service.error());
  const auto line = service->ask(R"({"do":"status"})");
  if (!line) return fail(line.error());
  const auto answer = parse_json(*line);
  if (options.json) {
    Json out = member(*answer, "status");
    for (const char* name : {"gateway", "config", "pid"}) out[name] = member(*answer, name);
    std::cout << json_text(out) << "\n";
  } else {
    for (const auto& text : summary_lines(*answer)) std::cout << text << "\n";
    const auto buses = bus_lines(*answer);
    if (!buses.empty()) std::cout << "\n";
    for (const auto& text : buses) std::cout << text << "\n";
  }
  std::cout.flush();
  return std::cout ? kDone : kFailed;
}

}  // namespace

Command status_command() {
  Command command;
  command.name = "status";
  command.summary = "how the running service is: broker, queue, buses, devices";
  command.details =
      "Asks the service over the socket in its runtime directory, which only its own user and group may use.\n"
      "docs/operation.md describes each figure.";
  command.run = run;
  return command;
}

}  // namespace baudbridge
