#include "adapters/serial/port_list.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

#include "adapters/serial/libserialport.h"
#include "adapters/serial/sysfs_ports.h"

namespace baudbridge {
namespace {

constexpr std::string_view kUsbPrefix = "usb:";
constexpr int kLatencyLimitMs = 2;

std::string text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

std::string real_path(const std::string& name) {
  const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(name.c_str(), nullptr), &std::free);
  return resolved ? resolved.get() : "";
}

/// The port with the data of libserialport, where the library has it.
/// Each port is looked up separately: sp_list_ports of 0.1.2 fails as a whole where one tty has no node.
/// The library goes by the node's name, so a node that has another name than the kernel's is not looked up.
void describe_by_library(PortInfo& port) {
  if (port.node != "/dev/" + port.tty) return;
  sp_port* raw = nullptr;
  if (sp_get_port_by_name(port.node.c_str(), &raw) != SP_OK) return;
  const SpPort known(raw);
  int vendor = 0;
  int product = 0;
  if (sp_get_port_transport(raw) != SP_TRANSPORT_USB || sp_get_port_usb_vid_pid(raw, &vendor, &product) != SP_OK) {
    if (port.usb_id.empty()) port.product = text_or_empty(sp_get_port_description(raw));
    return;
  }
  std::array<char, 16> id{};
  std::snprintf(id.data(), id.size(), "%04x:%04x", static_cast<unsigned>(vendor) & 0xFFFFU,
                static_cast<unsigned>(product) & 0xFFFFU);
  port.usb_id = id.data();
  port.serial_number = text_or_empty(sp_get_port_usb_serial(raw));
  port.manufacturer = text_or_empty(sp_get_port_usb_manufacturer(raw));
  port.product = text_or_empty(sp_get_port_usb_product(raw));
  if (port.product.empty()) port.product = text_or_empty(sp_get_port_description(raw));
}

bool matches(const UsbName& name, const PortInfo& port) {
  return port.usb_id == name.usb_id && (name.serial_number.empty() || name.serial_number == port.serial_number);
}

/// "usb:0403:6001:A1"
std::string usb_text(const PortInfo& port) {
  return "usb:" + port.usb_id + (port.serial_number.empty() ? "" : ":" + port.serial_number);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

bool is_hex4(std::string_view text) {
  return text.size() == 4 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

std::string list_text(std::span<const PortInfo> ports) {
  std::string text;
  for (const PortInfo& port : ports) {
    if (port.usb_id.empty()) continue;
    text += (text.empty() ? "" : ", ") + usb_text(port) + " (" + port.node + ")";
  }
  return text.empty() ? "no USB serial port is plugged in" : "plugged in: " + text;
}

}  // namespace

Result<PortList> list_ports(const DeviceTree& tree) {
  auto list = ports_in_sysfs(tree);
  if (!list) return list;
  if (tree == DeviceTree{}) {  // the library has no parameter for another
    for (PortInfo& port : list->ports) describe_by_library(port);
  }
  return list;
}

std::optional<UsbName> parse_usb_name(std::string_view name) {
  if (name.substr(0, kUsbPrefix.size()) != kUsbPrefix) return std::nullopt;
  name.remove_prefix(kUsbPrefix.size());
  if (name.size() < 9 || !is_hex4(name.substr(0, 4)) || name[4] != ':' || !is_hex4(name.substr(5, 4))) {
    return std::nullopt;
  }
  UsbName result{lower(name.substr(0, 9)), ""};
  if (name.size() == 9) return result;
  if (name[9] != ':' || name.size() == 10) return std::nullopt;
  result.serial_number = name.substr(10);
  return result;
}

Result<std::string> find_usb_port(const UsbName& name, const PortList& list) {
  std::vector<const PortInfo*> found;
  for (const PortInfo& port : list.ports) {
    if (matches(name, port)) found.push_back(&port);
  }
  if (found.size() == 1) return found.front()->node;
  if (!found.empty()) {
    return Error{Fault::config, "several ports match, add the serial number or use a /dev/serial/by-path name; " +
                                    list_text(list.ports)};
  }
  std::vector<PortInfo> without_node;
  std::copy_if(list.without_node.begin(), list.without_node.end(), std::back_inserter(without_node),
               [&name](const PortInfo& port) { return matches(name, port); });
  if (!without_node.empty()) return Error{Fault::unplugged, missing_nodes_text(without_node)};
  return Error{Fault::unplugged, "not plugged in; " + list_text(list.ports)};
}

std::string missing_nodes_text(std::span<const PortInfo> without_node) {
  if (without_node.empty()) return "";
  std::string names;
  for (const PortInfo& port : without_node) {
    names += (names.empty() ? "" : ", ") + port.tty;
    if (!port.usb_id.empty()) names += " (" + usb_text(port) + ")";
  }
  return "known to the kernel, but without a device node in /dev: " + names +
         "; a container must be given the node, as by docker run --device /dev/" + without_node.front().tty;
}

Result<std::string> resolve_port(const std::string& name, const DeviceTree& tree) {
  if (name.substr(0, kUsbPrefix.size()) == kUsbPrefix) {
    const auto usb = parse_usb_name(name);
    if (!usb) return Error{Fault::config, "USB ports are named usb:VID:PID or usb:VID:PID:SERIAL, as usb:0403:6001"};
    const auto list = list_ports(tree);
    if (!list) return list.error();
    return find_usb_port(*usb, *list);
  }
  const std::string node = real_path(name);
  if (!node.empty()) return node;
  const int why = errno;
  if (why == ENOENT || why == ENOTDIR) return Error{Fault::unplugged, "there is no such port (see: baudbridge ports)"};
  return Error{Fault::io, std::strerror(why)};
}

std::string latency_advice(const std::string& node, const std::string& sysfs) {
  const std::string name = tty_of_node(node, sysfs);
  const std::string path = sysfs + "/bus/usb-serial/devices/" + name + "/latency_timer";
  std::ifstream file(path);
  int milliseconds = 0;
  if (!(file >> milliseconds) || milliseconds <= kLatencyLimitMs) return "";
  return "the USB adapter " + name + " holds received bytes back for " + std::to_string(milliseconds) +
         " ms (latency timer), which slows every request: echo 1 > " + path +
         " as root, or for good with a udev rule: ACTION==\"add\", SUBSYSTEM==\"usb-serial\", "
         "DRIVER==\"ftdi_sio\", ATTR{latency_timer}=\"1\"";
}

}  // namespace baudbridge
