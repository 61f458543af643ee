// The list of serial ports: of a fabricated machine whose nodes are real ptys, and of this machine.
#include "adapters/serial/port_list.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapters/serial/serial_port.h"
#include "support/catch.h"
#include "support/pty.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace fs = std::filesystem;

namespace {

std::string number_of(const std::string& node) {
  struct stat status {};
  REQUIRE(::stat(node.c_str(), &status) == 0);
  return std::to_string(major(status.st_rdev)) + ":" + std::to_string(minor(status.st_rdev));
}

/// A machine of our own: /sys as the kernel lays it out, and a /dev whose nodes are symlinks to ptys.
class FabricatedMachine {
 public:
  FabricatedMachine() {
    fs::create_directories(tree.sysfs + "/class/tty");
    fs::create_directories(tree.sysfs + "/dev/char");
    fs::create_directories(tree.dev);
  }

  /// A tty below sys/devices/<place>; `device` is the folder of its device, empty for a console, which has none.
  void add_tty(const std::string& name, const std::string& number, const std::string& place,
               const std::string& device) const {
    const std::string folder = tree.sysfs + "/devices/" + place + "/tty/" + name;
    write(folder + "/dev", number);
    fs::create_directory_symlink("../../devices/" + place + "/tty/" + name, tree.sysfs + "/class/tty/" + name);
    fs::create_directory_symlink("../../class/tty/" + name, tree.sysfs + "/dev/char/" + number);
    if (device.empty()) return;
    fs::create_directories(tree.sysfs + "/devices/" + device);
    fs::create_directory_symlink(tree.sysfs + "/devices/" + device, folder + "/device");
  }

  /// An FTDI adapter as the kernel shows it: the USB device, its interface, the port, the tty.
  void add_ftdi(const std::string& name, const std::string& number, const std::string& socket,
                const std::string& serial) const {
    const std::string usb = "pci0000:00/0000:00:14.0/usb1/" + socket;
    const std::string port = usb + "/" + socket + ":1.0/" + name;
    add_tty(name, number, port, port);
    const std::string device = tree.sysfs + "/devices/" + usb;
    write(device + "/idVendor", "0403");
    write(device + "/idProduct", "6001");
    write(device + "/serial", serial);
    write(device + "/manufacturer", "FTDI");
    write(device + "/product", "FT232R USB UART");
  }

  void add_node(const std::string& name, const PtyPair& pty) const {
    const fs::path node = tree.dev + "/" + name;
    fs::create_directories(node.parent_path());
    fs::create_symlink(pty.slave(), node);
  }

  static void write(const std::string& path, const std::string& line) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << line << '\n';
  }

  TempDir dir;
  DeviceTree tree{dir.file("sys"), dir.file("dev")};
};

}  // namespace

TEST_CASE("a tty without a device node does not hide the other ports") {
  const FabricatedMachine machine;
  const PtyPair line;
  machine.add_tty("ttyS0", "4:64", "pnp0/00:00/00:00:0/00:00:0.0", "pnp0/00:00/00:00:0/00:00:0.0");
  machine.add_ftdi("ttyUSB0", "188:0", "1-1", "A1");
  machine.add_ftdi("ttyUSB1", number_of(line.slave()), "1-2", "B2");
  machine.add_node("ttyUSB1", line);
  const auto list = list_ports(machine.tree);
  REQUIRE(list);
  REQUIRE(list->ports.size() == 1);
  const PortInfo& port = list->ports.front();
  CHECK(port.node == machine.tree.dev + "/ttyUSB1");
  CHECK(port.tty == "ttyUSB1");
  CHECK(port.usb_id == "0403:6001");
  CHECK(port.serial_number == "B2");
  CHECK(port.manufacturer == "FTDI");
  CHECK(port.product == "FT232R USB UART");
  REQUIRE(list->without_node.size() == 2);
  CHECK(list->without_node[0].tty == "ttyS0");
  CHECK(list->without_node[1].serial_number == "A1");
  CHECK(*resolve_port("usb:0403:6001", machine.tree) == machine.tree.dev + "/ttyUSB1");
  const auto missing = resolve_port("usb:0403:6001:A1", machine.tree);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().kind == Fault::unplugged);
  CHECK_THAT(missing.error().what, ContainsSubstring("--device /dev/ttyUSB0"));
}

TEST_CASE("a port that a container has under another name is found by its device number, and works") {
  const FabricatedMachine machine;
  PtyPair line;
  machine.add_ftdi("ttyUSB3", number_of(line.slave()), "1-1", "A1");
  machine.add_node("serial/by-id/meter", line);
  const auto node = resolve_port("usb:0403:6001:A1", machine.tree);
  REQUIRE(node);
  CHECK(*node == machine.tree.dev + "/serial/by-id/meter");
  LineConfig config;
  config.port = *node;
  const auto port = SerialPort::open(config);
  REQUIRE(port);
  const std::string sent = "hello";
  REQUIRE(port->write_all(reinterpret_cast<const unsigned char*>(sent.data()), sent.size(),
                          std::chrono::steady_clock::now() + 5s));
  CHECK(line.receive(sent.size()) == sent);
}

TEST_CASE("a node with the name of one adapter and the number of another is the other") {
  const FabricatedMachine machine;
  const PtyPair line;
  machine.add_ftdi("ttyUSB0", "188:0", "1-1", "A1");
  machine.add_ftdi("ttyUSB3", number_of(line.slave()), "1-2", "B2");
  machine.add_node("ttyUSB0", line);  // docker run --device /dev/ttyUSB3:/dev/ttyUSB0
  const auto list = list_ports(machine.tree);
  REQUIRE(list);
  REQUIRE(list->ports.size() == 1);
  CHECK(list->ports[0].node == machine.tree.dev + "/ttyUSB0");
  CHECK(list->ports[0].serial_number == "B2");
  REQUIRE(list->without_node.size() == 1);
  CHECK(list->without_node[0].serial_number == "A1");
  // The advice about the latency timer, too, is about the adapter behind the node.
  FabricatedMachine::write(machine.tree.sysfs + "/bus/usb-serial/devices/ttyUSB3/latency_timer", "16");
  CHECK_THAT(latency_advice(list->ports[0].node, machine.tree.sysfs), ContainsSubstring("ttyUSB3"));
}

TEST_CASE("consoles and slots without hardware are not listed as serial ports") {
  const FabricatedMachine machine;
  const PtyPair console;
  const PtyPair slot;
  const PtyPair chip;
  machine.add_tty("tty1", number_of(console.slave()), "virtual/tty", "");
  machine.add_tty("ttyprintk", "5:3", "virtual/tty", "virtual/tty");
  machine.add_tty("ttyS1", number_of(slot.slave()), "platform/serial8250", "platform/serial8250");
  FabricatedMachine::write(machine.tree.sysfs + "/class/tty/ttyS1/type", "0");
  machine.add_tty("ttyS0", number_of(chip.slave()), "pnp0/00:00", "pnp0/00:00");
  FabricatedMachine::write(machine.tree.sysfs + "/class/tty/ttyS0/type", "4");
  machine.add_node("tty1", console);
  machine.add_node("ttyS1", slot);
  machine.add_node("ttyS0", chip);
  const auto list = list_ports(machine.tree);
  REQUIRE(list);
  REQUIRE(list->ports.size() == 1);
  CHECK(list->ports[0].tty == "ttyS0");
  CHECK(list->ports[0].usb_id.empty());
  CHECK(list->without_node.empty());
}

TEST_CASE("ports are listed by number, with their lasting name where there is one") {
  const FabricatedMachine machine;
  const PtyPair second;
  const PtyPair tenth;
  machine.add_ftdi("ttyUSB10", number_of(tenth.slave()), "1-1", "A1");
  machine.add_ftdi("ttyUSB2", number_of(second.slave()), "1-2", "B2");
  machine.add_node("ttyUSB10", tenth);
  machine.add_node("ttyUSB2", second);
  machine.add_node("serial/by-id/usb-FTDI_A1", tenth);
  const auto list = list_ports(machine.tree);
  REQUIRE(list);
  REQUIRE(list->ports.size() == 2);
  CHECK(list->ports[0].tty == "ttyUSB2");
  CHECK(list->ports[0].by_id.empty());
  CHECK(list->ports[1].tty == "ttyUSB10");
  CHECK(list->ports[1].by_id == machine.tree.dev + "/serial/by-id/usb-FTDI_A1");
  const auto several = resolve_port("usb:0403:6001", machine.tree);
  REQUIRE_FALSE(several);
  CHECK(several.error().kind == Fault::config);
}

TEST_CASE("a machine without sysfs is an error that names the folder") {
  const TempDir dir;
  const auto list = list_ports({dir.file("sys"), dir.file("dev")});
  REQUIRE_FALSE(list);
  CHECK(list.error().kind == Fault::io);
  CHECK_THAT(list.error().what, ContainsSubstring("/class/tty"));
}

TEST_CASE("this machine's ports are listed: those with a node by it, the others by name only") {
  const auto list = list_ports();
  REQUIRE(list);
  for (const PortInfo& port : list->ports) {
    INFO(port.node);
    CHECK(port.node.starts_with("/dev/"));
    struct stat status {};
    CHECK(::stat(port.node.c_str(), &status) == 0);
    CHECK(S_ISCHR(status.st_mode));
    CHECK_FALSE(port.product.empty());
  }
  for (const PortInfo& port : list->without_node) {
    INFO(port.tty);
    CHECK(port.node.empty());
    CHECK(fs::exists("/sys/class/tty/" + port.tty + "/device"));
  }
}
