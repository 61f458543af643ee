// What was recorded from real devices, through the real program: bytes go in at pseudo-terminals, values come out at a
// real broker.
#include <fstream>
#include <nlohmann/json.hpp>

#include "player.h"
#include "support/broker.h"
#include "support/catch.h"
#include "support/process.h"
#include "support/subscriber.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

using Json = nlohmann::json;

std::string configuration(const Player& player, const TempDir& dir, const Broker& broker) {
  std::string text = "[gateway]\nid = \"captures\"\nstate_dir = \"" + dir.file("state") + "\"\n[broker]\nurls = [\"" +
                     broker.url() + "\"]\n[publish]\nbase = \"captures\"\n[queue]\nruntime_dir = \"" + dir.file("run") +
                     "\"\n";
  for (const auto& device : player.devices()) {
    const Capture& capture = device->capture();
    const bool unsolicited = !capture.stream.empty();
    text += "\n[[bus]]\nid = \"" + capture.id + "-bus\"\nadapter = \"" + capture.adapter + "\"\nport = \"" +
            device->port() + "\"\n" + capture.line +
            (unsolicited ? "greeting = \"" + std::string(kGreeting) + "\"\n" : "");
    text += "\n[[device]]\nid = \"" + capture.id + "\"\nbus = \"" + capture.id + "-bus\"\nevery = \"" +
            (unsolicited ? "0s" : "500ms") + "\"\n" + capture.config;
  }
  return text;
}

std::string mismatch(const Json& record, const ExpectedRecord& expected) {
  const Json values = record.value("values", Json::object());
  const Json faults = record.value("faults", Json::object());
  if (values.size() + faults.size() != expected.size()) return "another number of readings";
  for (const auto& [point, wanted] : expected) {
    if (const auto* word = std::get_if<std::string>(&wanted); word != nullptr && word->substr(0, 1) == "!") {
      if (faults.value(point, "") != word->substr(1)) return point;
    } else if (!values.contains(point)) {
      return point + " is missing";
    } else if (word != nullptr) {
      if (values[point] != *word) return point;
    } else if (const auto* flag = std::get_if<bool>(&wanted)) {
      if (values[point] != *flag) return point;
    } else if (!values[point].is_number() || !as_expected(wanted, values[point].get<double>())) {
      return point;
    }
  }
  return "";
}

}  // namespace

TEST_CASE("every recorded device's bytes arrive at the broker as the expected values") {
  const std::vector<std::string> ids = capture_ids();
  REQUIRE(ids.size() >= 20);
  TempDir dir;
  Broker broker;
  Subscriber subscriber(broker.port(), {{"captures/+"}, "", true, {}});
  Player player(ids, dir.path());
  std::ofstream(dir.file("captures.toml")) << configuration(player, dir, broker);
  player.start();
  Process gateway({BAUDBRIDGE_BINARY, "run", "-c", dir.file("captures.toml")});

  const bool all_came = subscriber.wait_for(
      [&](const std::vector<Received>& messages) {
        std::map<std::string, std::size_t> counts;
        for (const Received& message : messages) ++counts[message.topic];
        return std::all_of(player.devices().begin(), player.devices().end(), [&](const auto& device) {
          return counts["captures/" + device->capture().id] >= device->capture().expected.size();
        });
      },
      kTestTimeout);
  const auto status = gateway.stop();
  player.stop();
  INFO(gateway.error_output());
  CHECK(status == 0);
  CHECK(all_came);
  for (const auto& device : player.devices()) {
    const Capture& capture = device->capture();
    const std::vector<Received> messages = subscriber.messages("captures/" + capture.id);
    for (std::size_t i = 0; i < capture.expected.size(); ++i) {
      INFO(capture.id << ", record " << i);
      REQUIRE(i < messages.size());
      INFO(messages[i].payload);
      CHECK(mismatch(Json::parse(messages[i].payload), capture.expected[i]).empty());
    }
    if (!capture.stream.empty()) CHECK(messages.size() == capture.expected.size());
    if (capture.adapter == "serial") CHECK(device->strange().empty());
  }
}
