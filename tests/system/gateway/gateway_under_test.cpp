#include "gateway_under_test.h"

#include <sys/statfs.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace baudbridge::testing {
namespace {

/// A RAM file system that anybody may write to, if there is one.
std::string ram_folder() {
  constexpr long kTmpfs = 0x01021994;  // TMPFS_MAGIC of linux/magic.h
  struct statfs info {};
  return ::statfs("/dev/shm", &info) == 0 && info.f_type == kTmpfs ? "/dev/shm" : "/tmp";
}

}  // namespace

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

GatewayUnderTest::GatewayUnderTest(const std::string& broker_url, const std::string& more)
    : runtime_(ram_folder()), config_file_(dir_.file("baudbridge.toml")) {
  auto devices = simulation::Simulation::start(1);
  if (!devices) throw std::runtime_error("simulated devices: " + devices.error().what);
  devices_ = std::move(*devices);
  configure(broker_url, more);
}

/// Four devices every 250 ms: 16 records a second if nothing is left out.
void GatewayUnderTest::configure(const std::string& broker_url, const std::string& more) {
  const auto& places = devices_->places();
  std::ofstream file(config_file_);
  file << "[gateway]\nid = \"plant\"\nstate_dir = \"" << state_dir() << "\"\n[broker]\nurls = [\"" << broker_url
       << "\"]\nreconnect_min = \"100ms\"\nreconnect_max = \"500ms\"\n[queue]\nruntime_dir = \"" << runtime_dir()
       << "\"\n"
       << "[[bus]]\nid = \"rs485\"\nadapter = \"modbus-rtu\"\nport = \"" << places.rs485_port
       << "\"\nbaud = " << simulation::kRs485Baud << "\n"
       << "[[bus]]\nid = \"lan\"\nadapter = \"modbus-tcp\"\nhost = \"127.0.0.1\"\ntcp_port = " << places.tcp_port
       << "\n"
       << R"(
[[device]]
id = "meter"
bus = "rs485"
address = 1
every = "250ms"
[[device.point]]
id = "voltage"
table = "input"
register = 0
type = "float32"
unit = "V"
[[device.point]]
id = "limit"
table = "holding"
register = 0
type = "uint16"
writable = true
min = 100
max = 5000

[[device]]
id = "room"
bus = "rs485"
address = 2
every = "250ms"
[[device.point]]
id = "temperature"
table = "input"
register = 1
type = "int16"
scale = 0.1

[[device]]
id = "boiler"
bus = "lan"
address = 1
every = "250ms"
[[device.point]]
id = "flow_temp"
table = "input"
register = 0
type = "int16"
scale = 0.1
[[device.point]]
id = "pump"
table = "coil"
register = 0
type = "bool"
writable = true
[[device.point]]
id = "setpoint"
table = "holding"
register = 0
type = "int16"
scale = 0.1
writable = true
min = 20
max = 80

[[device]]
id = "submeter"
bus = "lan"
address = 2
every = "250ms"
[[device.point]]
id = "power"
table = "input"
register = 2
type = "float32"
)" << more;
}

void GatewayUnderTest::start(ProcessOptions options) {
  process_ = std::make_unique<Process>(std::vector<std::string>{BAUDBRIDGE_BINARY, "run", "-c", config_file_},
                                       std::move(options));
}

void GatewayUnderTest::kill() {
  process_->stop(SIGKILL);
}

std::optional<int> GatewayUnderTest::stop() {
  return process_->stop(SIGTERM);
}

Finished GatewayUnderTest::command(std::vector<std::string> words) const {
  words.insert(words.begin(), BAUDBRIDGE_BINARY);
  words.insert(words.end(), {"-c", config_file_});
  return run_program(std::move(words));
}

Ledger::Ledger(const std::vector<Received>& messages) {
  for (const auto& message : messages) {
    const auto json = nlohmann::json::parse(message.payload, nullptr, false);
    if (!json.is_object() || !json.contains("seq")) continue;
    const auto seq = json["seq"].get<std::uint64_t>();
    const std::string content = message.topic + " " + message.payload;
    const auto [known, fresh] = first.emplace(seq, content);
    if (fresh) continue;
    ++duplicates;
    if (known->second != content) altered.push_back(known->second + " / " + content);
  }
}

std::vector<std::uint64_t> Ledger::missing(std::uint64_t until) const {
  std::vector<std::uint64_t> gaps;
  for (std::uint64_t seq = 1; seq <= until; ++seq) {
    if (!first.contains(seq)) gaps.push_back(seq);
  }
  return gaps;
}

}  // namespace baudbridge::testing
