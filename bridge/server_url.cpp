#include <array>
#include <charconv>

#include "bridge/broker_config.h"

namespace baudbridge {
namespace {

struct Scheme {
  std::string_view name;
  std::uint16_t port;
};
constexpr std::array<Scheme, 4> kSchemes{{{"mqtt", 1883}, {"mqtts", 8883}, {"ws", 80}, {"wss", 443}}};

Error address_error(std::string what) {
  return Error{Fault::config, std::move(what)};
}

Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc{} || end != text.data() + text.size() || port == 0 || port > 65535) {
    return address_error("port \"" + std::string(text) + "\" must be a number from 1 to 65535");
  }
  return static_cast<std::uint16_t>(port);
}

/// Splits "host", "host:port", "[v6]" and "[v6]:port".
Result<void> parse_authority(std::string_view text, ServerUrl& url) {
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return address_error("\"[\" requires \"]\"");
    url.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!port.empty() && port.front() != ':') return address_error("after \"]\" only \":port\" is permitted");
  } else {
    const auto colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) {
      return address_error("an IPv6 address requires brackets: \"[" + std::string(text) + "]\"");
    }
    url.host = text.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  if (url.host.empty()) return address_error("the host name is missing");
  if (url.host.find_first_of(" \t\r\n?#") != std::string::npos)
    return address_error("the host name contains a character that is not permitted");
  if (port.empty()) return {};
  const auto number = parse_port(port.substr(1));
  if (!number) return number.error();
  url.port = *number;
  return {};
}

}  // namespace

Result<ServerUrl> parse_server_url(std::string_view text) {
  constexpr std::string_view kForm =
      "write mqtt://HOST:1883, mqtts://HOST:8883, ws://HOST:80/PATH or wss://HOST:443/PATH";
  const auto mark = text.find("://");
  if (mark == std::string_view::npos) {
    return address_error("invalid server address \"" + std::string(text) + "\": " + std::string(kForm));
  }
  ServerUrl url;
  url.text = text;
  url.scheme = text.substr(0, mark);
  const Scheme* scheme = nullptr;
  for (const auto& known : kSchemes) {
    if (known.name == url.scheme) scheme = &known;
  }
  if (scheme == nullptr) {
    return address_error("scheme \"" + url.scheme + "\" must be one of mqtt, mqtts, ws, wss: " + std::string(kForm));
  }
  url.port = scheme->port;
  std::string_view rest = text.substr(mark + 3);
  const auto slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  if (authority.find('@') != std::string_view::npos) {
    return address_error("user and password are not permitted in the address: set username and password_file");
  }
  if (auto split = parse_authority(authority, url); !split) return in_context(std::string(text), split.error());
  if (url.websocket()) {
    if (url.path.empty()) url.path = "/mqtt";
  } else if (!url.path.empty() && url.path != "/") {
    return address_error(std::string(text) + ": a path is permitted with ws and wss only");
  } else {
    url.path.clear();
  }
  return url;
}

}  // namespace baudbridge
