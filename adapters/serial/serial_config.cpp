#include <algorithm>
#include <utility>

#include "adapters/adapter.h"
#include "adapters/serial/bytes_text.h"
#include "adapters/serial/serial_adapter.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTimeout = 1s;
constexpr Duration kShortestTimeout = 1ms;
constexpr Duration kLongestTimeout = 60s;
constexpr Duration kLongestPause = 60s;
constexpr Duration kSilence = 30s;
constexpr Duration kMargin = 200ms;  ///< of a poll cycle, for each attempt, beyond the timeout
constexpr unsigned kRetries = 1;
constexpr unsigned kMostRetries = 10;
constexpr int kLastAddress = 255;
constexpr std::string_view kAddressMark = "{address}";
constexpr std::string_view kHexDigits = "0123456789ABCDEF";

/// `key` as text, or `key_hex` as bytes; one of the two.
std::string parse_sent(Settings& settings, const std::string& key, std::optional<std::int64_t> address) {
  const std::string hex_key = key + "_hex";
  if (settings.has(key) && settings.has(hex_key))
    settings.problem(hex_key, "give " + key + " or " + hex_key + ", not both");
  const auto filled = [&](std::string text, const std::string& value) {
    for (auto at = text.find(kAddressMark); at != std::string::npos; at = text.find(kAddressMark)) {
      text.replace(at, kAddressMark.size(), value);
    }
    return text;
  };
  std::string text = settings.text(settings.has(key) ? key : hex_key, "");
  if (text.find(kAddressMark) != std::string::npos && !address) {
    settings.problem(settings.has(key) ? key : hex_key, "the device has no address to put in here: address = 1");
    return {};
  }
  if (settings.has(key)) return filled(std::move(text), std::to_string(address.value_or(0)));
  const auto number = static_cast<unsigned>(address.value_or(0));
  const std::string two_digits{kHexDigits[number / 16 % 16], kHexDigits[number % 16]};
  auto bytes = bytes_from_hex(filled(std::move(text), two_digits));
  if (bytes) return std::move(*bytes);
  settings.problem(hex_key, "this is no row of bytes in hexadecimal, as \"FF 01 86 00\"");
  return {};
}

DecodePlan parse_decode(Settings& decode, DeviceSettings& device) {
  const auto kinds = decode_kinds();
  Names<const DecodeKind*> names;
  for (const DecodeKind& kind : kinds) names.emplace_back(kind.name, &kind);
  if (!decode.has("kind")) {
    std::string words;
    for (const DecodeKind& kind : kinds) words += (words.empty() ? "" : ", ") + std::string(kind.name);
    device.device.problem("decode", "what does the device send? [device.decode] needs its kind: one of " + words);
    return {};
  }
  const DecodeKind* kind = decode.choice("kind", names, static_cast<const DecodeKind*>(nullptr));
  return kind == nullptr ? DecodePlan{} : kind->parse(decode, device);
}

SerialDeviceConfig parse_device(const SerialDeviceConfig& defaults, DeviceSettings& from) {
  SerialDeviceConfig config;
  config.id = from.plan->id;
  config.every = from.plan->every;
  config.points = from.plan->points.size();
  for (const Point& point : from.plan->points)
    config.every = std::min(config.every, point.every.value_or(config.every));
  config.timeout = from.device.duration("timeout", defaults.timeout, kShortestTimeout, kLongestTimeout);
  config.retries = static_cast<unsigned>(from.device.integer("retries", defaults.retries, 0, kMostRetries));
  const auto address = from.device.optional_integer("address", 0, kLastAddress);
  const bool has_silence = from.device.has("silence");
  config.silence = from.device.duration("silence", std::max(kSilence, 3 * from.plan->every), 0ms);
  Settings decode = from.device.table("decode");
  config.request = parse_sent(decode, "request", address);
  config.decode = parse_decode(decode, from);
  // Without a valid kind the other keys are not parsed; they are not reported as unknown.
  if (config.decode.framer) decode.finish();
  if (!config.request.empty() && has_silence) {
    from.device.problem("silence", "a device with a request has a timeout, not a silence; leave it out");
  }
  from.plan->unsolicited = config.request.empty();
  from.plan->silence = from.plan->unsolicited ? config.silence : Duration::zero();
  if (!from.plan->unsolicited) {
    const auto attempts = static_cast<int>(config.retries) + 1;
    from.plan->poll_limit = std::max<Duration>(kPollLimit, attempts * (config.timeout + kMargin));
  }
  return config;
}

}  // namespace

SerialConfig parse_serial_config(Settings& bus, std::span<DeviceSettings> devices) {
  SerialConfig config;
  config.line = parse_line(bus, {});
  config.pause = bus.duration("pause", 0ms, 0ms, kLongestPause);
  config.greeting = parse_sent(bus, "greeting", std::nullopt);
  SerialDeviceConfig defaults;
  defaults.timeout = bus.duration("timeout", kTimeout, kShortestTimeout, kLongestTimeout);
  defaults.retries = static_cast<unsigned>(bus.integer("retries", kRetries, 0, kMostRetries));
  for (DeviceSettings& device : devices) config.devices.push_back(parse_device(defaults, device));
  return config;
}

void set_load(const SerialConfig& config, BusPlan& plan) {
  double share = 0.0;
  std::size_t polled = 0;
  for (const SerialDeviceConfig& device : config.devices) {
    if (device.request.empty()) continue;
    ++polled;
    if (device.decode.frame_bytes == 0) {
      plan.load_detail = "the responses of " + device.id + " have no fixed length";
      return;
    }
    if (device.every == Duration::zero()) continue;  // takes what is left
    const auto characters = static_cast<long>(device.request.size() + device.decode.frame_bytes);
    const Duration visit = characters * config.line.character_time() + config.pause;
    share += static_cast<double>(visit.count()) / static_cast<double>(device.every.count());
  }
  if (polled == 0) {
    plan.load_detail = "unsolicited";
    return;
  }
  plan.load = share;
  plan.load_detail = std::to_string(polled) + (polled == 1 ? " device" : " devices") + " polled at " +
                     std::to_string(config.line.baud) + " baud";
}

void parse_serial(Settings& bus, std::span<DeviceSettings> devices, BusPlan& bus_plan) {
  SerialConfig config = parse_serial_config(bus, devices);
  set_load(config, bus_plan);
  bus_plan.make = [config = std::move(config)] { return make_serial_adapter(config); };
}

}  // namespace baudbridge
