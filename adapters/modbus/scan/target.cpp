#include "adapters/modbus/scan/target.h"

#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "adapters/serial/port_list.h"

namespace baudbridge::scan {
namespace {

constexpr int kLastPort = 65535;

/// A scheme as a user may write it, and the transport it stands for; the adapters' own names among them.
constexpr std::array<std::pair<std::string_view, ModbusTransport>, 5> kSchemes{{
    {"tcp:", ModbusTransport::tcp},
    {"modbus-tcp:", ModbusTransport::tcp},
    {"rtu-tcp:", ModbusTransport::rtu_over_tcp},
    {"modbus-rtu-tcp:", ModbusTransport::rtu_over_tcp},
    {"rtu-over-tcp:", ModbusTransport::rtu_over_tcp},
}};

Error wrong(const std::string& word, const std::string& why) {
  return Error{Fault::config, "\"" + word + "\": " + why};
}

std::optional<int> port_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 1 || number > kLastPort) return std::nullopt;
  return number;
}

/// "host", "host:port", "[v6]", "[v6]:port", a bare IPv6 address.
Result<Endpoint> parse_endpoint(const std::string& word, std::string_view text) {
  Endpoint endpoint;
  if (text.substr(0, 2) == "//") text.remove_prefix(2);
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (!text.empty() && text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return wrong(word, "the address has no closing ]");
    host = text.substr(1, end - 1);
    has_port = text.size() > end + 1;
    if (has_port && text[end + 1] != ':') return wrong(word, "behind ] only a :PORT can follow");
    if (has_port) port = text.substr(end + 2);
  } else if (text.find(':') == text.rfind(':')) {
    const auto colon = text.find(':');
    host = text.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = text.substr(colon + 1);
  }
  if (host.empty()) return wrong(word, "there is no host in it: HOST or HOST:PORT");
  if (host.find_first_of("/ \t") != std::string_view::npos) {
    return wrong(word, "is no host; a serial port is a path as /dev/ttyUSB0 (see: baudbridge ports)");
  }
  endpoint.host = host;
  if (!has_port) return endpoint;
  const auto number = port_number(port);
  if (!number) return wrong(word, "invalid TCP port \"" + std::string(port) + "\"; use 1 to 65535");
  endpoint.tcp_port = *number;
  return endpoint;
}

}  // namespace

std::string Target::text() const {
  if (serial()) return port;
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  return (v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.tcp_port);
}

Result<Target> parse_target(const std::string& word, const Exists& exists) {
  Target target;
  if (word.empty()) return Error{Fault::config, "a port or host is needed"};
  if (word.front() == '/') {
    target.port = word;
    return target;
  }
  if (word.starts_with("usb:")) {
    if (!parse_usb_name(word)) return wrong(word, "USB ports are named usb:VID:PID or usb:VID:PID:SERIAL");
    target.port = word;
    return target;
  }
  for (const char* folder : {"/dev/", "/dev/serial/by-id/", "/dev/serial/by-path/"}) {
    if (word.find_first_of("/ ") != std::string::npos || !exists(folder + word)) continue;
    target.port = folder + word;
    return target;
  }
  if (word.starts_with("tty")) return wrong(word, "there is no such port (see: baudbridge ports)");
  std::string_view rest = word;
  target.transport = ModbusTransport::tcp;
  for (const auto& [scheme, transport] : kSchemes) {
    if (!word.starts_with(scheme)) continue;
    target.transport = transport;
    rest.remove_prefix(scheme.size());
    break;
  }
  auto endpoint = parse_endpoint(word, rest);
  if (!endpoint) return endpoint.error();
  target.endpoint = std::move(*endpoint);
  return target;
}

}  // namespace baudbridge::scan
