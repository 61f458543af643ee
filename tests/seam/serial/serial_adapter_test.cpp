// The adapter on a real tty: unsolicited devices, solicited devices, pulled cables.
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <thread>

#include "../../unit/serial/described_device.h"
#include "adapters/serial/port_list.h"
#include "support/catch.h"
#include "support/process.h"
#include "support/pty.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

const char* const kTalks = R"(
[device.decode]
kind = "key-value"
[[device.point]]
id = "t"
[[device.point]]
id = "h"
)";

const char* const kAsked = R"(
timeout = "5s"
retries = 0
[device.decode]
kind = "columns"
request = "R\r"
[[device.point]]
id = "weight"
column = 0
)";

const char* const kCo2 = R"(
timeout = "1s"
retries = 1
[device.decode]
kind = "frames"
request_hex = "FF 01 86 00 00 00 00 00 79"
start = "FF 86"
length = 9
checksum = { kind = "sum8-negated", over = "1..7", at = 8 }
[[device.point]]
id = "co2"
at = 2
type = "uint16"
)";

Steady in(Duration from_now) {
  return std::chrono::steady_clock::now() + from_now;
}

/// One device on a pty, with the adapter that reads it.
struct Bench {
  explicit Bench(const std::string& device, const std::string& bus = "", Duration every = 0ns)
      : pty(dir.file("sensor")),
        described(device, "port = \"" + dir.file("sensor") + "\"\n" + bus, every),
        adapter(make_serial_adapter(described.config())) {
    INFO(described.problem_text());
    REQUIRE(described.problems().empty());
  }

  PollContext context(Duration limit = 10s, int wake_fd = -1) const {
    std::vector<std::size_t> due;
    for (std::size_t i = 0; i < described.plan().points.size() && !described.plan().unsolicited; ++i) due.push_back(i);
    return PollContext(described.plan(), 0, due, {in(limit), stop.get_token(), wake_fd});
  }

  TempDir dir;
  PtyPair pty;
  DescribedDevice described;
  std::unique_ptr<Adapter> adapter;
  std::stop_source stop;
};

using Readings = std::vector<Reading>;

/// Answers requests on a thread of its own, while the test polls.
class Responder {
 public:
  explicit Responder(std::function<void()> answer) : thread_(std::move(answer)) {}
  ~Responder() { thread_.join(); }

 private:
  std::thread thread_;
};

}  // namespace

TEST_CASE("an unsolicited device is read from its first whole line") {
  Bench bench(kTalks);
  REQUIRE(bench.adapter->open());
  REQUIRE(bench.pty.send("1.5,h=9\r\nt=21.5,h=40\r\nt=21.6,h=41\r\n"));
  PollContext first = bench.context();
  REQUIRE(bench.adapter->poll(first));
  CHECK(first.readings() == Readings{{"t", Value{21.5}}, {"h", Value{std::int64_t{40}}}});
  CHECK(first.answered_at().has_value());
  PollContext second = bench.context();
  REQUIRE(bench.adapter->poll(second));
  CHECK(second.readings() == Readings{{"t", Value{21.6}}, {"h", Value{std::int64_t{41}}}});
}

TEST_CASE("listening ends at its deadline, without a silence before its time") {
  Bench bench(std::string("silence = \"1h\"\n") + kTalks);
  REQUIRE(bench.adapter->open());
  PollContext context = bench.context(5ms);
  REQUIRE(bench.adapter->poll(context));
  CHECK(context.readings().empty());
  CHECK_FALSE(context.silent());
}

TEST_CASE("listening ends when the gateway is to stop") {
  Bench bench(kTalks);
  REQUIRE(bench.adapter->open());
  const UniqueFd wake(::eventfd(1, EFD_CLOEXEC));
  bench.stop.request_stop();
  PollContext context = bench.context(1h, wake.get());
  REQUIRE(bench.adapter->poll(context));
  CHECK(context.readings().empty());
}

TEST_CASE("a device without frames for too long is silent, and garbage in their place is reported") {
  Bench bench(std::string("silence = \"20ms\"\n") + kTalks);
  REQUIRE(bench.adapter->open());
  PollContext quiet = bench.context();
  REQUIRE(bench.adapter->poll(quiet));
  CHECK(quiet.silent());
  CHECK(quiet.silence().kind == Fault::timeout);
  REQUIRE(bench.pty.send("\xf8\x80\x78\xf8\x80"));
  std::string text;
  for (int i = 0; i < 1000 && text.find("check baud") == std::string::npos; ++i) {
    PollContext garbage = bench.context();
    REQUIRE(bench.adapter->poll(garbage));
    REQUIRE(garbage.silent());
    text = garbage.silence().what;
  }
  CHECK_THAT(text, ContainsSubstring("5 bytes were received, but no frame among them: check baud"));
}

TEST_CASE("an unsolicited device that is too fast is thinned to its period") {
  Bench bench(kTalks, "", 50ms);
  REQUIRE(bench.adapter->open());
  REQUIRE(bench.pty.send("\nt=1,h=1\n"));
  PollContext first = bench.context();
  REQUIRE(bench.adapter->poll(first));
  REQUIRE(first.readings().size() == 2);
  const auto opened = std::chrono::steady_clock::now();
  REQUIRE(bench.pty.send("t=2\nt=3\nt=4\n"));
  PollContext second = bench.context();
  REQUIRE(bench.adapter->poll(second));
  // Whatever the period cut through, what came last is what counts.
  while (second.readings().back().value != Result<Value>(Value{std::int64_t{4}})) {
    REQUIRE(std::chrono::steady_clock::now() - opened < 10s);
    second = bench.context();
    REQUIRE(bench.adapter->poll(second));
  }
  CHECK(second.readings() == Readings{{"t", Value{std::int64_t{4}}}});
}

TEST_CASE("a pulled cable is an error of the bus, and the same name works again after a replug") {
  Bench bench(kTalks);
  REQUIRE(bench.adapter->open());
  bench.pty.unplug();
  PollContext gone = bench.context();
  const auto failed = bench.adapter->poll(gone);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().kind == Fault::unplugged);
  bench.adapter->close();
  const auto missing = bench.adapter->open();
  REQUIRE_FALSE(missing);
  CHECK(missing.error().kind == Fault::unplugged);
  bench.adapter->close();
  bench.pty.replug();
  REQUIRE(bench.adapter->open());
  REQUIRE(bench.pty.send("\nt=7\n"));
  PollContext back = bench.context();
  REQUIRE(bench.adapter->poll(back));
  CHECK(back.readings() == Readings{{"t", Value{std::int64_t{7}}}});
}

TEST_CASE("a cable pulled while the adapter waits ends the wait") {
  Bench bench(kTalks);
  REQUIRE(bench.adapter->open());
  const Responder pull([&] {
    bench.pty.wait_opened();
    bench.pty.unplug();
  });
  PollContext context = bench.context(1h);
  const auto polled = bench.adapter->poll(context);
  REQUIRE_FALSE(polled);
  CHECK(polled.error().kind == Fault::unplugged);
}

TEST_CASE("a greeting is sent once when the port was opened") {
  Bench bench(kTalks, "greeting = \"AUTO\\r\"\n");
  REQUIRE(bench.adapter->open());
  CHECK(bench.pty.receive_until('\r') == "AUTO\r");
}

TEST_CASE("a solicited device gets its request and its response is read, also in pieces") {
  Bench bench(kAsked);
  REQUIRE(bench.adapter->open());
  std::optional<std::string> request;
  PollContext context = bench.context();
  {
    const Responder device([&] {
      request = bench.pty.receive_until('\r');
      for (const char c : std::string("12.5\r\n")) bench.pty.send(std::string(1, c));
    });
    REQUIRE(bench.adapter->poll(context));
  }
  CHECK(request == "R\r");
  CHECK(context.readings() == Readings{{"weight", Value{12.5}}});
  CHECK(context.responses().size() == 1);
}

TEST_CASE("bytes on the line before a request are not its response") {
  Bench bench(kAsked);
  REQUIRE(bench.adapter->open());
  REQUIRE(bench.pty.send("99.9\r\n"));
  PollContext context = bench.context();
  {
    const Responder device([&] {
      bench.pty.receive_until('\r');
      bench.pty.send("12.5\r\n");
    });
    REQUIRE(bench.adapter->poll(context));
  }
  CHECK(context.readings() == Readings{{"weight", Value{12.5}}});
}

TEST_CASE("a device that does not respond gets its request again, and then is silent") {
  Bench bench(kCo2);
  REQUIRE(bench.adapter->open());
  PollContext context = bench.context();
  REQUIRE(bench.adapter->poll(context));
  CHECK(context.silent());
  REQUIRE(context.readings().size() == 1);
  CHECK(fault_word(context.readings()[0].value.error()) == "timeout");
  CHECK(bench.pty.receive(18) == from_hex("FF0186000000000079 FF0186000000000079"));
}

TEST_CASE("a damaged response is requested again, and after the retries it is a checksum fault, never a value") {
  Bench bench(kCo2);
  REQUIRE(bench.adapter->open());
  PollContext mended = bench.context();
  {
    const Responder device([&] {
      bench.pty.receive(9);
      bench.pty.send(from_hex("FF86026047000000D0"));
      bench.pty.receive(9);
      bench.pty.send(from_hex("00 FF86 FF86026047000000D1"));
    });
    REQUIRE(bench.adapter->poll(mended));
  }
  CHECK(mended.readings() == Readings{{"co2", Value{std::int64_t{608}}}});
  PollContext damaged = bench.context();
  {
    const Responder device([&] {
      bench.pty.receive(9);
      bench.pty.send(from_hex("FF86026047000000D0"));
      bench.pty.receive(9);
      bench.pty.send(from_hex("FF86026047000000D0"));
    });
    REQUIRE(bench.adapter->poll(damaged));
  }
  REQUIRE(damaged.readings().size() == 1);
  CHECK(fault_word(damaged.readings()[0].value.error()) == "checksum");
  CHECK_FALSE(damaged.silent());
}

TEST_CASE("unsolicited devices on one line each get their own frames, whichever is listened to") {
  TempDir dir;
  PtyPair pty(dir.file("line"));
  const std::string bus = "port = \"" + dir.file("line") + "\"\n";
  const std::string nmea = "[device.decode]\nkind = \"columns\"\nchecksum = \"nmea\"\n";
  const DescribedDevice wind(nmea + "match = 'MWV'\n[[device.point]]\nid = \"angle\"\ncolumn = 1\n", bus);
  const DescribedDevice depth(nmea + "match = 'DPT'\n[[device.point]]\nid = \"depth\"\ncolumn = 1\n", bus);
  SerialConfig config = wind.config();
  config.devices.push_back(depth.device());
  const auto adapter = make_serial_adapter(config);
  REQUIRE(adapter->open());
  REQUIRE(pty.send("$SDDPT,5.5,*79\r\n$IIMWV,271.0,R,000.2,N,A*3B\r\n"));
  Readings readings;
  for (int turn = 0; turn < 10 && readings.size() < 2; ++turn) {
    const auto device = static_cast<std::size_t>(turn % 2);
    PollContext context(device == 0 ? wind.plan() : depth.plan(), device, {}, {in(10s), {}, -1});
    REQUIRE(adapter->poll(context));
    for (Reading& reading : context.take_readings()) readings.push_back(std::move(reading));
  }
  std::sort(readings.begin(), readings.end(), [](const auto& a, const auto& b) { return a.point < b.point; });
  CHECK(readings == Readings{{"angle", Value{271.0}}, {"depth", Value{5.5}}});
}

TEST_CASE("a late response is not taken for that of the next device") {
  TempDir dir;
  PtyPair pty(dir.file("line"));
  const std::string bus = "port = \"" + dir.file("line") + "\"\n";
  const auto scale = [&](const std::string& request, const std::string& timeout) {
    return "timeout = \"" + timeout + "\"\nretries = 0\n[device.decode]\nkind = \"columns\"\nrequest = \"" + request +
           "\\r\"\n[[device.point]]\nid = \"weight\"\ncolumn = 0\n";
  };
  const DescribedDevice slow(scale("A", "100ms"), bus);
  const DescribedDevice quick(scale("B", "10s"), bus);
  SerialConfig config = slow.config();
  config.devices.push_back(quick.device());
  const auto adapter = make_serial_adapter(config);
  REQUIRE(adapter->open());
  PollContext missed(slow.plan(), 0, {0}, {in(10s), {}, -1});
  REQUIRE(adapter->poll(missed));
  REQUIRE(missed.silent());
  PollContext context(quick.plan(), 1, {0}, {in(20s), {}, -1});
  {
    const Responder devices([&] {
      pty.receive_until('\r');
      pty.send("111\r\n");
      pty.receive_until('\r');
      pty.send("222\r\n");
    });
    REQUIRE(adapter->poll(context));
  }
  CHECK(context.readings() == Readings{{"weight", Value{std::int64_t{222}}}});
}

TEST_CASE("a USB adapter with a long latency timer is reported, with the remedy") {
  TempDir sysfs;
  const std::string folder = sysfs.file("bus/usb-serial/devices/ttyUSB7");
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/latency_timer") << "16\n";
  CHECK_THAT(latency_advice("/dev/ttyUSB7", sysfs.path()), ContainsSubstring("16 ms"));
  std::ofstream(folder + "/latency_timer") << "1\n";
  CHECK(latency_advice("/dev/ttyUSB7", sysfs.path()).empty());
  CHECK(latency_advice("/dev/ttyS0", sysfs.path()).empty());
}
