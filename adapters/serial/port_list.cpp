#include "adapters/serial/port_list.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "adapters/serial/libserialport.h"

namespace baudbridge {
namespace {

constexpr std::string_view kUsbPrefix = "usb:";
constexpr int kLatencyLimitMs = 2;
constexpr const char* kByIdFolder = "/dev/serial/by-id";

std::string text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

std::string real_path(const std::string& name) {
  const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(name.c_str(), nullptr), &std::free);
  return resolved ? resolved.get() : "";
}

std::string find_by_id(const std::string& node) {
  std::error_code failed;
  std::string found;
  for (std::filesystem::directory_iterator entry(kByIdFolder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const std::string link = entry->path().string();
    if (real_path(link) == node && (found.empty() || link < found)) found = link;
  }
  return found;
}

PortInfo describe(const sp_port* port) {
  PortInfo info;
  info.node = text_or_empty(sp_get_port_name(port));
  info.by_id = find_by_id(info.node);
  int vendor = 0;
  int product = 0;
  if (sp_get_port_transport(port) == SP_TRANSPORT_USB && sp_get_port_usb_vid_pid(port, &vendor, &product) == SP_OK) {
    std::array<char, 16> id{};
    std::snprintf(id.data(), id.size(), "%04x:%04x", static_cast<unsigned>(vendor) & 0xFFFFU,
                  static_cast<unsigned>(product) & 0xFFFFU);
    info.usb_id = id.data();
    info.serial_number = text_or_empty(sp_get_port_usb_serial(port));
    info.manufacturer = text_or_empty(sp_get_port_usb_manufacturer(port));
    info.product = text_or_empty(sp_get_port_usb_product(port));
  }
  if (info.product.empty()) info.product = text_or_empty(sp_get_port_description(port));
  return info;
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
    text += (text.empty() ? "" : ", ") + std::string("usb:") + port.usb_id;
    if (!port.serial_number.empty()) text += ":" + port.serial_number;
    text += " (" + port.node + ")";
  }
  return text.empty() ? "no USB serial port is plugged in" : "plugged in: " + text;
}

}  // namespace

Result<std::vector<PortInfo>> list_ports() {
  sp_port** raw = nullptr;
  if (sp_list_ports(&raw) != SP_OK) return Error{Fault::io, "serial ports cannot be listed: " + sp_error_text()};
  const SpPortList list(raw);
  std::vector<PortInfo> ports;
  for (sp_port** port = list.get(); *port != nullptr; ++port) ports.push_back(describe(*port));
  std::sort(ports.begin(), ports.end(), [](const PortInfo& a, const PortInfo& b) {
    return a.node.size() != b.node.size() ? a.node.size() < b.node.size() : a.node < b.node;  // ttyUSB2 before ttyUSB10
  });
  return ports;
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

Result<std::string> find_usb_port(const UsbName& name, std::span<const PortInfo> ports) {
  std::vector<const PortInfo*> found;
  for (const PortInfo& port : ports) {
    if (port.usb_id != name.usb_id) continue;
    if (name.serial_number.empty() || name.serial_number == port.serial_number) found.push_back(&port);
  }
  if (found.size() == 1) return found.front()->node;
  if (found.empty()) return Error{Fault::unplugged, "not plugged in; " + list_text(ports)};
  return Error{Fault::config,
               "several ports match, add the serial number or use a /dev/serial/by-path name; " + list_text(ports)};
}

Result<std::string> resolve_port(const std::string& name) {
  if (name.substr(0, kUsbPrefix.size()) == kUsbPrefix) {
    const auto usb = parse_usb_name(name);
    if (!usb) return Error{Fault::config, "USB ports are named usb:VID:PID or usb:VID:PID:SERIAL, as usb:0403:6001"};
    const auto ports = list_ports();
    if (!ports) return ports.error();
    return find_usb_port(*usb, *ports);
  }
  const std::string node = real_path(name);
  if (!node.empty()) return node;
  const int why = errno;
  if (why == ENOENT || why == ENOTDIR) return Error{Fault::unplugged, "there is no such port (see: baudbridge ports)"};
  return Error{Fault::io, std::strerror(why)};
}

std::string latency_advice(const std::string& node, const std::string& sysfs) {
  const std::string name = std::filesystem::path(node).filename().string();
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
