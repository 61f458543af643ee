// Clients of a shared bus that misbehave: they cost neither values nor memory, and no other client its turn.
#include <fcntl.h>
#include <sys/resource.h>

#include <fstream>
#include <thread>

#include "shared_bus.h"
#include "support/pty.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

const ModbusBytes kRequest = tcp_bytes(7, 1, read_pdu(3, 10, 2));
constexpr std::size_t kResponse = 13;

/// A device that counts its requests apart from the polls, on a shared bus.
struct Bench {
  explicit Bench(const std::string& keys = "")
      : bus(host_of(device) + ", timeout = \"30s\"" + keys, polled_device(1), ModbusTransport::tcp) {}
  /// The next polls still have their values.
  void check_polled() {
    const std::size_t before = bus.collected().all<Sample>().size();
    REQUIRE(bus.collected().wait_for_count<Sample>(before + 3));
    for (const Sample& sample : bus.collected().all<Sample>()) {
      for (const Reading& reading : sample.readings) CHECK(reading.value);
    }
  }
  void check_served() {
    OtherMaster master(bus.port());
    const auto [failure, registers] = master.holding(1, 10, 2);
    CHECK(failure == 0);
    CHECK(registers[0] == source_value(1, 10, 0) >> 16);
  }

  ScriptedModbusServer device{ModbusFraming::tcp, source_tcp_device()};
  SharedBus bus;
};

/// Sends on a thread of its own what a client does not take at once; ends with the test, whatever the test found.
class Sender {
 public:
  Sender(RawClient& client, const ModbusBytes& bytes)
      : client_(client), thread_([&] { (void)client.send_all(bytes); }) {}
  ~Sender() { client_.shutdown(SHUT_RDWR); }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

 private:
  RawClient& client_;
  std::jthread thread_;  ///< joined once the connection is shut down
};

std::size_t resident_kB() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

}  // namespace

TEST_CASE("clients that send nothing do not keep others from being served") {
  Bench bench;
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 7; ++i) silent.push_back(std::make_unique<RawClient>(bench.bus.port()));
  bench.check_served();
  bench.check_polled();
}

TEST_CASE("a request that comes piece by piece is answered when its last byte is there") {
  Bench bench;
  RawClient client(bench.bus.port());
  const ModbusBytes two = kRequest + kRequest;
  for (std::size_t i = 0; i < two.size(); ++i) {
    client.send({two[i]});
    if (i == 3) bench.check_served();
  }
  CHECK(client.receive(2 * kResponse).size() == 2 * kResponse);
}

TEST_CASE("half a request is closed and counted after a while, and holds up no other client meanwhile") {
  Bench bench;
  std::vector<std::unique_ptr<RawClient>> halves;
  for (std::size_t size = 1; size < 7; ++size) {
    halves.push_back(std::make_unique<RawClient>(bench.bus.port()));
    halves.back()->send(ModbusBytes(kRequest.begin(), kRequest.begin() + static_cast<std::ptrdiff_t>(2 * size - 1)));
  }
  bench.check_served();
  bench.check_polled();
  for (auto& half : halves) CHECK(half->closed());
  REQUIRE(bench.bus.wait_report([](const BusReport& report) { return report.serve->malformed == 6; }));
}

TEST_CASE("a connection that is not Modbus TCP is closed and counted, and the others are served") {
  Bench bench;
  const std::string web = "GET / HTTP/1.1\r\nHost: gateway\r\n\r\n";
  ModbusBytes other_length = kRequest;
  other_length[5] = 7;
  for (const ModbusBytes& bytes : {ModbusBytes(web.begin(), web.end()), ModbusBytes(300, 0xff), ModbusBytes(8, 0),
                                   rtu_bytes(1, read_pdu(3, 0, 1)), other_length + ModbusBytes{0}}) {
    RawClient client(bench.bus.port());
    client.send(bytes);
    CHECK(client.closed());
  }
  bench.check_served();
  REQUIRE(bench.bus.wait_report([](const BusReport& report) { return report.serve->malformed == 5; }));
}

TEST_CASE("10,000 requests at once are answered in turn with those of others, in bounded memory") {
  constexpr std::size_t kRequests = 10'000;
  Bench bench(", serve_share = 100");
  bench.check_served();
  const std::size_t before_kB = resident_kB();
  RawClient greedy(bench.bus.port());
  ModbusBytes all;
  for (std::size_t i = 0; i < kRequests; ++i) {
    const ModbusBytes one = tcp_bytes(static_cast<std::uint16_t>(i), 1, read_pdu(3, 10, 2));
    all.insert(all.end(), one.begin(), one.end());
  }
  const std::size_t others = bench.device.asked();
  const Sender sender(greedy, all);
  // While they are worked off another client has its turn each time: one of the greedy client's between two of its own.
  OtherMaster master(bench.bus.port());
  for (int i = 0; i < 20; ++i) CHECK(master.holding(1, 10, 2).first == 0);
  CHECK(bench.device.asked() - others < kRequests);
  bench.check_polled();
  std::size_t received = 0;
  while (received < kRequests) {
    const ModbusBytes response = greedy.receive(kResponse);
    REQUIRE(response.size() == kResponse);
    REQUIRE((response[0] << 8 | response[1]) == static_cast<int>(received));
    REQUIRE((response[9] << 8 | response[10]) == static_cast<int>(source_value(1, 10, 0) >> 16));
    ++received;
  }
  // The test's own bytes are in it, too. The sanitizers keep what was freed, so there is no figure there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  (void)before_kB;
#else
  CHECK(resident_kB() < before_kB + 16 * 1024);
#endif
  bench.check_polled();
}

TEST_CASE("a client that does not read its responses gets no more of the bus, and costs the others nothing") {
  Bench bench(", serve_share = 100");
  constexpr std::size_t kRequests = 20'000;
  RawClient deaf(bench.bus.port());
  const int small = 4096;
  ::setsockopt(deaf.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  ModbusBytes many;
  const ModbusBytes one = tcp_bytes(7, 1, read_pdu(3, 0, 125));  // the longest response
  for (std::size_t i = 0; i < kRequests; ++i) many.insert(many.end(), one.begin(), one.end());
  {
    const Sender sender(deaf, many);
    std::uint64_t before = 0;
    for (std::size_t unmoved = 0; unmoved < 3;) {
      const std::size_t reports = bench.bus.collected().all<BusReport>().size();
      REQUIRE(bench.bus.collected().wait_for_count<BusReport>(reports + 1));
      const std::uint64_t now = bench.bus.report().serve->requests;
      unmoved = now == before && now > 0 ? unmoved + 1 : 0;
      before = now;
    }
    CHECK(before < kRequests);
    CHECK(bench.bus.report().serve->clients == 1);  // it waits, and is no malformed one
    bench.check_served();
  }
  bench.check_served();
  bench.check_polled();
}

TEST_CASE("clients that disconnect in the middle, at any byte, leave nothing behind") {
  Bench bench(", serve_clients = 64");
  const ModbusBytes bytes = kRequest + kRequest + kRequest;
  for (std::size_t i = 0; i < 200; ++i) {
    RawClient client(bench.bus.port());
    (void)client.send_all(
        ModbusBytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(i % (bytes.size() + 1))));
    if (i % 3 == 0) {  // a reset in the place of a clean close
      const linger hard{1, 0};
      ::setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
  }
  // Every place is free once the server has seen them all go.
  REQUIRE(eventually([&] {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 64; ++i) {
      clients.push_back(std::make_unique<RawClient>(bench.bus.port()));
      if (!clients.back()->send_all(kRequest) || clients.back()->receive(kResponse).size() != kResponse) return false;
    }
    return true;
  }));
  bench.check_polled();
}

TEST_CASE("a client that has closed its sending side is still answered") {
  Bench bench;
  RawClient client(bench.bus.port());
  client.send(kRequest + kRequest);
  client.shutdown();
  CHECK(client.receive(2 * kResponse).size() == 2 * kResponse);
  CHECK(client.closed());
}

TEST_CASE("there are no more clients than serve_clients; one that leaves makes room") {
  Bench bench(", serve_clients = 2");
  std::optional<RawClient> first(bench.bus.port());
  RawClient second(bench.bus.port());
  for (RawClient* client : {&*first, &second}) {
    client->send(kRequest);
    CHECK(client->receive(kResponse).size() == kResponse);
  }
  RawClient third(bench.bus.port());
  CHECK(third.closed());
  REQUIRE(bench.bus.wait_report([](const BusReport& report) { return report.serve->rejected == 1; }));
  first.reset();
  REQUIRE(bench.bus.wait_report([](const BusReport& report) { return report.serve->clients == 1; }));
  bench.check_served();
}

TEST_CASE("a client that is not in serve_allow is refused") {
  Bench bench(", serve_allow = [\"10.0.0.0/24\", \"::1\"]");
  RawClient client(bench.bus.port());
  CHECK(client.closed());
  REQUIRE(bench.bus.wait_report([](const BusReport& report) { return report.serve->rejected == 1; }));
  Bench open(", serve_allow = [\"127.0.0.0/8\"]");
  open.check_served();
}

TEST_CASE("a client whose descriptor libmodbus cannot wait for is turned away, and nothing aborts") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit limit = before;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  REQUIRE(limit.rlim_cur > FD_SETSIZE + 100);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  {
    Bench bench;
    std::vector<UniqueFd> taken;
    while (taken.empty() || taken.back().get() < FD_SETSIZE) {
      taken.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      REQUIRE(taken.back());
    }
    RawClient client(bench.bus.port());
    CHECK(client.closed());
    REQUIRE(bench.bus.wait_report([](const BusReport& report) { return report.serve->rejected == 1; }));
    bench.check_polled();
    taken.clear();
    bench.check_served();
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_CASE("a port that is in use is a state: the bus is polled, and served once the port is free") {
  ScriptedModbusServer device(ModbusFraming::tcp, source_tcp_device());
  SharedBus bus(host_of(device) + ", timeout = \"30s\"", polled_device(1), ModbusTransport::tcp, false);
  UniqueFd other(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(bus.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(other.get(), 1) == 0);
  bus.launch();
  REQUIRE(bus.wait_report([](const BusReport& report) { return !report.serve->why.empty(); }));
  CHECK_FALSE(bus.report().serve->listening);
  CHECK_THAT(bus.report().serve->why, ContainsSubstring("in use"));
  REQUIRE(bus.collected().wait_for_count<Sample>(2));
  other.reset();
  REQUIRE(bus.wait_report([](const BusReport& report) { return report.serve->listening; }));
  OtherMaster master(bus.port());
  CHECK(master.holding(1, 10, 2).first == 0);
}

TEST_CASE("a stop does not wait for clients, whatever they are in the middle of") {
  std::atomic<bool> asked{false};
  ScriptedModbusServer device(ModbusFraming::tcp, [&](const ModbusAsked& request) -> std::vector<ModbusStep> {
    if (request.function() == 4) {
      asked = true;
      return {};  // never answered
    }
    return {{{}, tcp_bytes(request.transaction, request.unit, source_pdu(request)), false}};
  });
  SharedBus bus(host_of(device) + ", timeout = \"60s\"", polled_device(1), ModbusTransport::tcp);
  RawClient waiting(bus.port());
  waiting.send(tcp_bytes(1, 1, read_pdu(4, 0, 1)));
  RawClient queued(bus.port());
  queued.send(kRequest);
  RawClient half(bus.port());
  half.send({0, 1, 0});
  REQUIRE(eventually([&] { return asked.load(); }));
  CHECK(bus.runner().heartbeat() + bus.runner().longest_turn() > steady_now());
  const Steady begun = steady_now();
  bus.stop();
  CHECK(steady_now() - begun < 50s);  // the device has 60 s
  for (RawClient* client : {&waiting, &queued, &half}) CHECK(client->closed());
}
