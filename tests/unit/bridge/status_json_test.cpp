#include "bridge/status_json.h"

#include <nlohmann/json.hpp>

#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("the status has the record counters, the queue, the connection and the buses") {
  StatusView view;
  view.now = at(0s);
  view.version = "1.2.3";
  view.runs_for = 61s;
  view.queue.counters = {10, 5, 3, 1, 1};
  view.link.connected = true;
  view.link.server = "mqtt://broker.example";
  std::map<std::string, BusReport> buses;
  BusReport bus;
  bus.bus = "rs485";
  bus.open = true;
  bus.devices.push_back({});
  bus.devices[0].device = "boiler";
  bus.devices[0].known = true;
  bus.devices[0].online = true;
  buses["rs485"] = bus;
  view.buses = &buses;
  const auto health = nlohmann::json::parse(status_json(view));
  CHECK(health["uptime_s"] == 61);
  CHECK(health["version"] == "1.2.3");
  CHECK(health["records"].dump() == R"({"accepted":10,"acknowledged":5,"dead_lettered":1,"dropped":1,"queued":3})");
  CHECK(health["link"]["connected"] == true);
  CHECK(health["buses"]["rs485"]["devices"]["boiler"]["state"] == "online");
  CHECK_FALSE(health["queue"].contains("disk_error"));
  CHECK(status_json(view).find(' ') == std::string::npos);
}

TEST_CASE("the status has the error of a disk that cannot be written") {
  StatusView view;
  view.queue.durable = false;
  view.queue.disk_error = "disk full";
  const auto status = nlohmann::json::parse(status_json(view));
  CHECK(status["queue"]["durable"] == false);
  CHECK(status["queue"]["disk_error"] == "disk full");
}
