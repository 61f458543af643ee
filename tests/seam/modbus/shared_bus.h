#pragma once
// A bus that runs and is shared, and masters that are not ours.
#include <arpa/inet.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/runtime/runner.h"
#include "core/poll_until.h"
#include "poll_watch.h"
#include "support/catch.h"
#include "support/fake_adapter.h"
#include "support/modbus_server.h"
#include "support/modbus_setup.h"
#include "support/process.h"

namespace baudbridge::testing {

/// A runner with its real adapter and server. The bus is shared at port().
class SharedBus {
 public:
  /// keys: of the bus, without `serve`.
  SharedBus(const std::string& keys, const std::string& devices, ModbusTransport transport, bool started = true)
      : port_(free_port()),
        setup_("bus = { serve = \"127.0.0.1:" + std::to_string(port_) + "\", " + keys + " }\n" + devices, transport) {
    (void)setup_.make_adapter();  // sets plan.make and plan.sharing
    INFO((setup_.texts().empty() ? "" : setup_.texts().front()));
    REQUIRE(setup_.texts().empty());
    REQUIRE(setup_.plan.sharing.has_value());
    if (started) start();
  }
  ~SharedBus() { stop(); }
  SharedBus(const SharedBus&) = delete;
  SharedBus& operator=(const SharedBus&) = delete;

  /// Returns once it listens and its bus is open (or cannot be opened).
  void start() {
    launch();
    REQUIRE(wait_report([](const BusReport& bus) { return bus.serve->listening && (bus.open || !bus.why.empty()); }));
  }
  void launch() {
    runner_ = std::make_unique<Runner>(
        setup_.plan, [sink = collected_](Intake intake) { sink->add(std::move(intake)); }, clock_);
    runner_->start();
  }
  void stop() { runner_.reset(); }

  bool wait_report(const std::function<bool(const BusReport&)>& predicate) {
    return collected_->wait_for<BusReport>(
        [&](const auto& reports) { return !reports.empty() && predicate(reports.back()); });
  }
  [[nodiscard]] BusReport report() const {
    const auto reports = collected_->all<BusReport>();
    return reports.empty() ? BusReport{} : reports.back();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] Collected& collected() { return *collected_; }
  [[nodiscard]] Runner& runner() { return *runner_; }

 private:
  std::uint16_t port_;
  ModbusSetup setup_;
  Clock clock_;
  std::shared_ptr<Collected> collected_ = std::make_shared<Collected>();
  std::unique_ptr<Runner> runner_;
};

/// libmodbus' client: a master that is not ours.
class OtherMaster {
 public:
  explicit OtherMaster(std::uint16_t port) : context_(modbus_new_tcp("127.0.0.1", port)) {
    modbus_set_response_timeout(context_, 30, 0);
    REQUIRE(modbus_connect(context_) == 0);
  }
  ~OtherMaster() {
    modbus_close(context_);
    modbus_free(context_);
  }
  OtherMaster(const OtherMaster&) = delete;
  OtherMaster& operator=(const OtherMaster&) = delete;

  modbus_t* unit(int id) {
    modbus_set_slave(context_, id);
    return context_;
  }
  /// The registers, or the exception code as a negative number (-1: another failure).
  std::pair<int, std::vector<std::uint16_t>> holding(int id, int address, int count) {
    std::vector<std::uint16_t> registers(static_cast<std::size_t>(count));
    const int got = modbus_read_registers(unit(id), address, count, registers.data());
    return {got == count ? 0 : exception(), std::move(registers)};
  }
  /// The exception code of the last call; -1: it was something else.
  static int exception() { return errno > MODBUS_ENOBASE && errno < EMBBADCRC ? errno - MODBUS_ENOBASE : -1; }

 private:
  modbus_t* context_;
};

/// A client that sends arbitrary bytes.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  void send(const ModbusBytes& bytes) {
    REQUIRE(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == std::ssize(bytes));
  }
  /// Waits until all of it is taken. False: the connection ended before.
  bool send_all(const ModbusBytes& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t taken = ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (taken <= 0) return false;
      sent += static_cast<std::size_t>(taken);
    }
    return true;
  }
  /// So many bytes; fewer: the connection was closed, or nothing came in time.
  ModbusBytes receive(std::size_t count) {
    ModbusBytes bytes;
    const Steady deadline = steady_now() + kTestTimeout;
    while (bytes.size() < count && wait(deadline)) {
      ModbusBytes piece(count - bytes.size());
      const ssize_t got = ::recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
      if (got <= 0) break;
      bytes.insert(bytes.end(), piece.begin(), piece.begin() + got);
    }
    return bytes;
  }
  /// True once the other side has closed the connection.
  bool closed() {
    const Steady deadline = steady_now() + kTestTimeout;
    ModbusBytes piece(4096);
    while (wait(deadline)) {
      if (::recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT) <= 0) return true;
    }
    return false;
  }
  void shutdown(int how = SHUT_WR) { ::shutdown(socket_.get(), how); }
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  bool wait(Steady deadline) {
    pollfd socket{socket_.get(), POLLIN, 0};
    return poll_until({&socket, 1}, deadline) > 0;
  }
  UniqueFd socket_;
};

inline ModbusBytes read_pdu(std::uint8_t function, std::uint16_t address, std::uint16_t count) {
  return {function, static_cast<std::uint8_t>(address >> 8), static_cast<std::uint8_t>(address & 0xff),
          static_cast<std::uint8_t>(count >> 8), static_cast<std::uint8_t>(count & 0xff)};
}

/// One device that is polled; its register 0 is of no interest to the test.
inline std::string polled_device(int unit, const std::string& every = "50ms") {
  return "[[device]]\nid = \"polled" + std::to_string(unit) + "\"\naddress = " + std::to_string(unit) + "\nevery = \"" +
         every + "\"\n[[device.point]]\ntable = \"holding\"\nregister = 0\ntype = \"uint32\"\n";
}

/// A Modbus TCP device all of whose registers hold source values.
inline ModbusScript source_tcp_device() {
  return [](const ModbusAsked& asked) {
    return std::vector<ModbusStep>{{{}, tcp_bytes(asked.transaction, asked.unit, source_pdu(asked)), false}};
  };
}

inline std::string host_of(const ScriptedModbusServer& server) {
  return "host = \"127.0.0.1\", tcp_port = " + std::to_string(server.port());
}

}  // namespace baudbridge::testing
