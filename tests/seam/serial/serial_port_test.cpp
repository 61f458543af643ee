#include "adapters/serial/serial_port.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>

#include "support/catch.h"
#include "support/pty.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace std::chrono_literals;
using baudbridge::testing::PtyPair;
using baudbridge::testing::TempDir;

namespace {

Steady after(Duration from_now) {
  return std::chrono::steady_clock::now() + from_now;
}

LineConfig line(const std::string& port, int baud = 9600) {
  LineConfig config;
  config.port = port;
  config.baud = baud;
  return config;
}

std::string read_all(SerialPort& port, std::size_t size) {
  std::string received;
  std::array<unsigned char, 256> buffer{};
  while (received.size() < size && port.wait_readable(after(5s), -1)) {
    const auto got = port.read_some(buffer.data(), buffer.size());
    if (!got) break;
    received.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
  return received;
}

bool write_text(SerialPort& port, const std::string& text) {
  return static_cast<bool>(port.write_all(reinterpret_cast<const unsigned char*>(text.data()), text.size(), after(5s)));
}

}  // namespace

TEST_CASE("a pseudo-terminal is opened by its node, raw and at any speed") {
  PtyPair pty;
  auto port = SerialPort::open(line(pty.port(), 12345));
  REQUIRE(port);
  CHECK(port->node() == pty.slave());
  CHECK(pty.baud() == 12345);
  const std::string bytes("\x00\x03\x04\r\n\x11\x13\xff\x1b", 9);
  REQUIRE(pty.send(bytes));
  CHECK(read_all(*port, bytes.size()) == bytes);
  REQUIRE(write_text(*port, bytes));
  CHECK(pty.receive(bytes.size()) == bytes);
}

TEST_CASE("a symlink is followed to the node it points to now") {
  TempDir dir;
  PtyPair pty(dir.file("sensor"));
  auto port = SerialPort::open(line(dir.file("sensor")));
  REQUIRE(port);
  CHECK(port->node() == pty.slave());
}

TEST_CASE("the descriptor is not inherited by child processes") {
  PtyPair pty;
  auto port = SerialPort::open(line(pty.port()));
  REQUIRE(port);
  CHECK((::fcntl(port->fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a port can be opened by one owner at a time, and again when that one has closed it") {
  PtyPair pty;
  {
    auto first = SerialPort::open(line(pty.port()));
    REQUIRE(first);
    auto second = SerialPort::open(line(pty.port()));
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == Fault::in_use);
    CHECK_THAT(second.error().what, ContainsSubstring("another program has it open"));
  }
  CHECK(SerialPort::open(line(pty.port())));
}

TEST_CASE("opening drops what was received before, reading starts with what comes after") {
  PtyPair pty;
  REQUIRE(pty.send("old"));
  auto port = SerialPort::open(line(pty.port()));
  REQUIRE(port);
  REQUIRE(pty.send("new"));
  CHECK(read_all(*port, 3) == "new");
}

TEST_CASE("nothing received until the deadline is a timeout, and a read then has nothing") {
  PtyPair pty;
  auto port = SerialPort::open(line(pty.port()));
  REQUIRE(port);
  auto waited = port->wait_readable(after(2ms), -1);
  REQUIRE_FALSE(waited);
  CHECK(waited.error().kind == Fault::timeout);
  std::array<unsigned char, 8> buffer{};
  auto got = port->read_some(buffer.data(), buffer.size());
  REQUIRE(got);
  CHECK(*got == 0);
}

TEST_CASE("a wait ends when the wake descriptor becomes readable") {
  PtyPair pty;
  auto port = SerialPort::open(line(pty.port()));
  REQUIRE(port);
  UniqueFd wake(::eventfd(1, EFD_CLOEXEC));
  auto waited = port->wait_readable(after(60s), wake.get());
  REQUIRE_FALSE(waited);
  CHECK(waited.error().kind == Fault::closed);
}

TEST_CASE("a pulled cable is seen by the wait, by a read and by a write") {
  TempDir dir;
  PtyPair pty(dir.file("sensor"));
  auto port = SerialPort::open(line(dir.file("sensor")));
  REQUIRE(port);
  pty.unplug();
  std::array<unsigned char, 8> buffer{};
  auto waited = port->wait_readable(after(60s), -1);
  REQUIRE_FALSE(waited);
  CHECK(waited.error().kind == Fault::unplugged);
  auto got = port->read_some(buffer.data(), buffer.size());
  REQUIRE_FALSE(got);
  CHECK(got.error().kind == Fault::unplugged);
  auto written = port->write_all(buffer.data(), buffer.size(), after(5s));
  REQUIRE_FALSE(written);
  CHECK(written.error().kind == Fault::unplugged);
}

TEST_CASE("after a replug the same name opens the new node") {
  TempDir dir;
  PtyPair pty(dir.file("sensor"));
  auto port = SerialPort::open(line(dir.file("sensor")));
  REQUIRE(port);
  pty.unplug();
  auto gone = SerialPort::open(line(dir.file("sensor")));
  REQUIRE_FALSE(gone);
  CHECK(gone.error().kind == Fault::unplugged);
  pty.replug();
  auto again = SerialPort::open(line(dir.file("sensor")));
  REQUIRE(again);
  *port = std::move(*again);
  REQUIRE(pty.send("back"));
  CHECK(read_all(*port, 4) == "back");
}

TEST_CASE("a missing port is reported with its name") {
  auto port = SerialPort::open(line("/dev/serial/by-id/usb-nothing-like-this"));
  REQUIRE_FALSE(port);
  CHECK(port.error().kind == Fault::unplugged);
  CHECK_THAT(port.error().what,
             ContainsSubstring("port /dev/serial/by-id/usb-nothing-like-this: there is no such port"));
}

TEST_CASE("a file that is not a serial port is refused") {
  auto port = SerialPort::open(line("/dev/null"));
  REQUIRE_FALSE(port);
  CHECK(port.error().kind == Fault::io);
  CHECK_THAT(port.error().what, ContainsSubstring("no serial port"));
}

TEST_CASE("modem lines and RS-485 modes that a port does not have are refused with what to do") {
  PtyPair pty;
  LineConfig config = line(pty.port());
  config.dtr = false;
  auto dtr = SerialPort::open(config);
  REQUIRE_FALSE(dtr);
  CHECK_THAT(dtr.error().what, ContainsSubstring("leave out dtr"));
  config = line(pty.port());
  config.rs485 = Rs485Mode::kernel;
  auto kernel = SerialPort::open(config);
  REQUIRE_FALSE(kernel);
  CHECK_THAT(kernel.error().what, ContainsSubstring("has no RS-485 mode"));
  config.rs485 = Rs485Mode::rts;
  auto rts = SerialPort::open(config);
  REQUIRE_FALSE(rts);
  CHECK_THAT(rts.error().what, ContainsSubstring("has no RTS line"));
}

TEST_CASE("the speed can be changed while the port is open") {
  PtyPair pty;
  auto port = SerialPort::open(line(pty.port(), 300));
  REQUIRE(port);
  CHECK(pty.baud() == 300);
  REQUIRE(port->set_line(line(pty.port(), 19200)));
  CHECK(pty.baud() == 19200);
  CHECK(port->config().baud == 19200);
}

TEST_CASE("a port whose partner reads nothing does not hold up the close") {
  PtyPair pty;
  auto port = SerialPort::open(line(pty.port()));
  REQUIRE(port);
  const std::string much(1 << 20, 'x');
  auto written = port->write_all(reinterpret_cast<const unsigned char*>(much.data()), much.size(), after(20ms));
  REQUIRE_FALSE(written);
  CHECK(written.error().kind == Fault::timeout);
}

TEST_CASE("an adopted socket is read like a port, and its end is an unplug") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  UniqueFd peer(ends[1]);
  SerialPort port = SerialPort::adopt(UniqueFd(ends[0]), line("adopted"));
  REQUIRE(::write(peer.get(), "last words", 10) == 10);
  peer.reset();
  CHECK(read_all(port, 100) == "last words");
  std::array<unsigned char, 8> buffer{};
  auto got = port.read_some(buffer.data(), buffer.size());
  REQUIRE_FALSE(got);
  CHECK(got.error().kind == Fault::unplugged);
}
