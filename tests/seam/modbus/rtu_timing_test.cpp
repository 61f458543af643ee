// When a request leaves, and from when on its response is waited for.
#include <sys/socket.h>

#include <mutex>

#include "adapters/modbus/modbus_client.h"
#include "bus_bench.h"
#include "support/catch.h"
#include "support/modbus_server.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

/// A line whose frames have left when they are written, as with a transceiver that we switch ourselves (RTS).
class SlowWriting : public Stream {
 public:
  SlowWriting(UniqueFd fd, const LineConfig& line) : inner_(adopted_stream(std::move(fd), line)) {}
  Result<void> open() override { return inner_->open(); }
  void close() noexcept override { inner_->close(); }
  [[nodiscard]] int fd() const override { return inner_->fd(); }
  Result<std::size_t> read_some(std::span<std::uint8_t> into) override { return inner_->read_some(into); }
  Result<void> write_all(std::span<const std::uint8_t> bytes, Steady deadline) override {
    const Steady sent = steady_now() + character_time() * static_cast<Duration::rep>(bytes.size());
    (void)wait_input(-1, sent, -1);
    return inner_->write_all(bytes, deadline);
  }
  [[nodiscard]] Duration character_time() const override { return inner_->character_time(); }
  [[nodiscard]] Duration frame_silence() const override { return inner_->frame_silence(); }
  [[nodiscard]] std::string name() const override { return inner_->name(); }

 private:
  std::unique_ptr<Stream> inner_;
};

Request read_one() {
  Request request;
  request.unit = 1;
  request.pdu = read_request(Table::holding, 0, 2);
  request.timeout = 30s;
  request.deadline = steady_now() + 60s;
  return request;
}

}  // namespace

TEST_CASE("a frame that has left when it is written is not taken to be on the line once more") {
  int ends[2] = {-1, -1};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const UniqueFd far(ends[1]);
  LineConfig line;
  line.baud = 600;  // a request of 8 characters takes 133 ms
  ScriptedModbusServer server(far.get(), [](const ModbusAsked& asked) {
    return std::vector<ModbusStep>{{0ms, rtu_bytes(asked.unit, source_pdu(asked)), false}};
  });
  const auto client = rtu_client(std::make_unique<SlowWriting>(UniqueFd(ends[0]), line), false);
  REQUIRE(client->open());
  const auto answer = client->transact(read_one());
  REQUIRE(answer);
  CHECK(answer->took >= 0ns);  // the response came after the request, not before its end
}

TEST_CASE("frames to a line behind a TCP connection are kept apart as that line needs it") {
  std::mutex mutex;
  std::vector<Steady> asked_at;
  std::vector<Steady> answered_at;
  ScriptedModbusServer server(ModbusFraming::rtu, [&](const ModbusAsked& asked) {
    const std::lock_guard lock(mutex);
    asked_at.push_back(steady_now());
    answered_at.push_back(steady_now());  // at the earliest
    return std::vector<ModbusStep>{{0ms, rtu_bytes(asked.unit, source_pdu(asked)), false}};
  });
  const std::string points =
      "\n[[device.point]]\ntable = \"holding\"\nregister = 0\n[[device.point]]\ntable = \"holding\"\nregister = 1000\n";
  BusBench bench("bus = { host = \"127.0.0.1\", tcp_port = " + std::to_string(server.port()) +
                     ", baud = 2400, timeout = \"30s\" }\n[[device]]\naddress = 1" + points,
                 ModbusTransport::rtu_over_tcp);
  bench.open();
  CHECK_FALSE(bench.poll().silent());
  const std::lock_guard lock(mutex);
  REQUIRE(asked_at.size() == 2);
  CHECK(asked_at[1] - answered_at[0] >= frame_silence(bench.setup.config.line));
}
