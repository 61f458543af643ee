#include "adapters/modbus/server/serve_config.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace baudbridge {
namespace {

constexpr const char* kLoopback = "127.0.0.1";
constexpr int kMostClients = 64;
constexpr int kMostPercent = 100;

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  constexpr unsigned kLastPort = 65535;
  const char* const end = digits.data() + digits.size();
  unsigned port = 0;
  const auto parsed = std::from_chars(digits.data(), end, port);
  if (parsed.ec != std::errc{} || parsed.ptr != end || port == 0 || port > kLastPort) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

/// "127.0.0.1:1502", "[::1]:1502", ":1502", "1502"; false: none of them.
bool parse_address(const std::string& text, ServeConfig& config) {
  const std::size_t colon = text.rfind(':');
  const auto port = parse_port(colon == std::string::npos ? text : std::string_view(text).substr(colon + 1));
  if (!port) return false;
  std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  if (host.empty() || host == "localhost") host = kLoopback;
  const auto address = IpAddress::parse(host);
  if (!address || address->v4 == brackets) return false;
  config.host = *address;
  config.port = *port;
  config.address = (address->v4 ? address->text() : "[" + address->text() + "]") + ":" + std::to_string(*port);
  return true;
}

void parse_allow(Settings& bus, ServeConfig& config) {
  for (const std::string& text : bus.texts("serve_allow", {})) {
    const auto range = AddressRange::parse(text);
    if (!range) {
      bus.problem("serve_allow", in_quotes(text) +
                                     " must be an IP network or an IP address, like \"10.0.0.0/24\", \"10.0.0.5\" or "
                                     "\"fd00::/8\"");
      continue;
    }
    if (text.find('/') != std::string::npos && IpAddress::parse(text.substr(0, text.find('/'))) != range->network) {
      bus.problem("serve_allow", in_quotes(text) + " must be the first address of its network: write " +
                                     in_quotes(range->text()) + ", or the address without \"/\" for that one alone");
      continue;
    }
    config.allow.push_back(*range);
  }
  const bool open_to_all = bus.has("serve_allow") && config.allow.empty();
  if (open_to_all && bus.texts("serve_allow", {}).empty()) {
    bus.problem("serve_allow", "must name at least one network; leave it out to allow every address");
  }
}

}  // namespace

std::optional<ServeConfig> parse_serve(Settings& bus) {
  ServeConfig config;
  const bool shared = bus.has("serve");
  const std::string address = bus.text("serve", "");
  config.writes = bus.flag("serve_writes", false);
  config.share_percent = static_cast<int>(bus.integer("serve_share", config.share_percent, 1, kMostPercent));
  config.clients =
      static_cast<std::size_t>(bus.integer("serve_clients", static_cast<int>(config.clients), 1, kMostClients));
  parse_allow(bus, config);
  if (!shared) {
    for (const char* key : {"serve_writes", "serve_share", "serve_clients", "serve_allow"}) {
      if (bus.has(key)) bus.problem(key, "has no effect without serve; add serve = \"127.0.0.1:1502\"");
    }
    return std::nullopt;
  }
  if (!parse_address(address, config)) {
    if (std::holds_alternative<std::string>(bus.node("serve")->value)) {
      bus.problem("serve", in_quotes(address) +
                               " must be an IP address of this machine and a port, like \"127.0.0.1:1502\", "
                               "\"0.0.0.0:1502\" or \"[::]:1502\"; \":1502\" is the loopback address");
    }
    return std::nullopt;
  }
  if (!config.host.loopback() && config.allow.empty() && !bus.has("serve_allow")) {
    bus.warning("serve", config.address + " can be reached from the network, and Modbus has no password: " +
                             (config.writes ? "every machine there can write to the devices of this bus"
                                            : "every machine there can read the devices of this bus") +
                             ". Name those that may with serve_allow = [\"10.0.0.0/24\"]");
  }
  return config;
}

}  // namespace baudbridge
