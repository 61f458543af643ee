#include "adapters/serial/sysfs_ports.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

namespace baudbridge {
namespace {

namespace fs = std::filesystem;

constexpr int kUsbLevels = 5;         // from a tty up to its USB device: interface, port, device; hubs do not count
constexpr int kNodeDepth = 2;         // /dev/serial/by-id/NAME
constexpr const char* kNoUart = "0";  // PORT_UNKNOWN of linux/serial_core.h: a slot of the driver without hardware

/// The first line of an attribute; empty if it cannot be read.
std::string attribute(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Folders below /dev that hold other things than devices.
bool holds_no_ports(const fs::path& folder) {
  static const std::set<std::string> kOthers{"pts", "shm", "mqueue", "hugepages", "block", "fd"};
  return kOthers.contains(folder.filename().string());
}

/// The nodes below a folder, by device number. Several of one number: the shortest name, then the first.
std::map<std::string, std::string> nodes_by_number(const std::string& dev) {
  std::map<std::string, std::string> nodes;
  std::error_code failed;
  fs::recursive_directory_iterator entry(dev, fs::directory_options::skip_permission_denied, failed);
  for (const fs::recursive_directory_iterator end; !failed && entry != end; entry.increment(failed)) {
    if (entry.depth() >= kNodeDepth || holds_no_ports(entry->path())) entry.disable_recursion_pending();
    const std::string path = entry->path().string();
    const std::string number = device_number(path);
    if (number.empty()) continue;
    std::string& known = nodes[number];
    if (known.empty() || std::pair(path.size(), path) < std::pair(known.size(), known)) known = path;
  }
  return nodes;
}

/// The symlink below /dev/serial/by-id that names the device; udev makes it, a container has it only if it was given
/// it.
std::string by_id_name(const std::string& dev, const std::string& number) {
  std::string found;
  std::error_code failed;
  for (fs::directory_iterator entry(dev + "/serial/by-id", failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const std::string name = entry->path().string();
    if (device_number(name) == number && (found.empty() || name < found)) found = name;
  }
  return found;
}

/// The USB device that a tty belongs to, if any: the nearest folder above it that has USB ids.
void describe_usb(const fs::path& device, PortInfo& port) {
  fs::path folder = device;
  for (int level = 0; level <= kUsbLevels; ++level, folder = folder.parent_path()) {
    const std::string vendor = attribute(folder / "idVendor");
    const std::string product = attribute(folder / "idProduct");
    if (vendor.empty() || product.empty()) continue;
    port.usb_id = vendor + ":" + product;
    port.serial_number = attribute(folder / "serial");
    port.manufacturer = attribute(folder / "manufacturer");
    port.product = attribute(folder / "product");
    return;
  }
}

/// Which tty an entry of /sys/class/tty is; nothing if it is no serial port: a console, or a slot without hardware.
std::optional<PortInfo> describe(const fs::path& entry) {
  std::error_code failed;
  const fs::path device = fs::canonical(entry / "device", failed);
  if (failed || attribute(entry / "type") == kNoUart) return std::nullopt;
  const fs::path place = fs::canonical(entry, failed);
  if (failed || place.string().find("/devices/virtual/") != std::string::npos) return std::nullopt;
  PortInfo port;
  port.tty = entry.filename().string();
  describe_usb(device, port);
  if (port.product.empty()) port.product = port.tty;
  return port;
}

void sort_by(std::string PortInfo::*name, std::vector<PortInfo>& ports) {
  std::sort(ports.begin(), ports.end(), [name](const PortInfo& a, const PortInfo& b) {
    return std::pair((a.*name).size(), a.*name) < std::pair((b.*name).size(), b.*name);  // ttyUSB2 before ttyUSB10
  });
}

}  // namespace

std::string device_number(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISCHR(status.st_mode)) return {};
  return std::to_string(major(status.st_rdev)) + ":" + std::to_string(minor(status.st_rdev));
}

std::string tty_of_node(const std::string& node, const std::string& sysfs) {
  const std::string number = device_number(node);
  std::error_code failed;
  const fs::path place = fs::read_symlink(sysfs + "/dev/char/" + number, failed);
  return number.empty() || failed ? fs::path(node).filename().string() : place.filename().string();
}

Result<PortList> ports_in_sysfs(const DeviceTree& tree) {
  const std::string folder = tree.sysfs + "/class/tty";
  PortList list;
  std::optional<std::map<std::string, std::string>> nodes;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    auto port = describe(entry->path());
    if (!port) continue;
    const std::string number = attribute(entry->path() / "dev");
    port->node = tree.dev + "/" + port->tty;
    if (number.empty() || device_number(port->node) != number) {
      if (!nodes) nodes = nodes_by_number(tree.dev);
      const auto other = nodes->find(number);
      port->node = other == nodes->end() ? "" : other->second;
    }
    if (port->node.empty()) {
      list.without_node.push_back(std::move(*port));
      continue;
    }
    port->by_id = by_id_name(tree.dev, number);
    list.ports.push_back(std::move(*port));
  }
  if (failed) {
    return Error{Fault::io,
                 "serial ports cannot be listed: " + folder + ": " + failed.message() + "; is sysfs mounted?"};
  }
  sort_by(&PortInfo::node, list.ports);
  sort_by(&PortInfo::tty, list.without_node);
  return list;
}

}  // namespace baudbridge
