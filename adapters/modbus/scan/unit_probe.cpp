#include "adapters/modbus/scan/unit_probe.h"

#include <algorithm>
#include <utility>

#include "adapters/modbus/knowledge.h"
#include "adapters/modbus/pdu.h"
#include "adapters/modbus/rtu_frame.h"

namespace baudbridge::scan {
namespace {

using namespace std::chrono_literals;

constexpr int kNoPath = 10;             ///< MODBUS Application Protocol 1.1b3, section 7
constexpr int kTargetSilent = 11;       ///< the gateway got no response
constexpr Duration kLongestWait = 15s;  ///< of a request, in addition to its timeout
constexpr Duration kSecondAnswer = 60ms;
constexpr unsigned kConfirmations = 2;
constexpr unsigned kMostParts = 8;
constexpr std::uint8_t kBasic = 1;
constexpr std::uint8_t kRegular = 2;
constexpr std::uint8_t kFirstRegular = 3;
constexpr std::uint8_t kMoreFollows = 0xff;
constexpr std::size_t kHeaderSize = 7;

}  // namespace

ProbeResult result_of(const Error& error, std::size_t received_bytes) {
  switch (error.kind) {
    case Fault::exception:
      if (error.code == kNoPath || error.code == kTargetSilent) {
        return {Presence::silent, false, true, error.what, {}};
      }
      return {Presence::there, false, false, error.what, {}};
    case Fault::timeout:
      if (received_bytes > 0) return {Presence::garbled, false, false, error.what, {}};
      return {Presence::silent, false, false, error.what, {}};
    case Fault::closed:
      return {Presence::stopped, false, false, error.what, {}};
    case Fault::checksum:
    case Fault::malformed:
      return {Presence::garbled, false, false, error.what, {}};
    default:
      return {Presence::gone, false, false, error.what, {}};
  }
}

std::optional<IdentificationPart> parse_identification(std::span<const std::uint8_t> pdu) {
  const auto size = identification_size(pdu);
  if (!size || *size != pdu.size() || pdu[0] != 43) return std::nullopt;
  IdentificationPart part;
  part.conformity = pdu[3];
  if (pdu[4] == kMoreFollows) part.more = pdu[5];
  std::size_t at = kHeaderSize;
  for (unsigned left = pdu[6]; left > 0; --left) {
    const std::size_t length = pdu[at + 1];
    std::string text(pdu.begin() + static_cast<std::ptrdiff_t>(at) + 2,
                     pdu.begin() + static_cast<std::ptrdiff_t>(at + 2 + length));
    // Fixed fields are filled up with blanks or NUL.
    const auto end = text.find_last_not_of(std::string("\0 ", 2));
    text.erase(end == std::string::npos ? 0 : end + 1);
    part.objects[pdu[at]] = std::move(text);
    at += 2 + length;
  }
  return part;
}

Result<Response> UnitProbe::transact(const Bytes& pdu, unsigned retries) {
  Request request;
  request.unit = unit_;
  request.pdu = pdu;
  request.timeout = timeout_;
  request.deadline = steady_now() + timeout_ + kLongestWait;
  request.stop = stop_;
  request.wake_fd = wake_fd_;
  for (;;) {
    auto response = line_.client->transact(request);
    if (response || retries == 0 || stop_.stop_requested()) return response;
    const Fault kind = response.error().kind;
    if (kind != Fault::timeout && kind != Fault::checksum && kind != Fault::malformed) return response;
    --retries;
  }
}

ProbeResult UnitProbe::probe(Table table) {
  if (line_.listener) line_.listener->clear();
  const Steady begun = steady_now();
  const Bytes request = read_request(table, 0, 1);
  const auto response = transact(request, 0);
  std::size_t extra_bytes = 0;
  bool echo = false;
  if (line_.listener) {
    extra_bytes = line_.listener->take_count();
    const Bytes sent = rtu_frame(unit_, request);
    const Bytes& received = line_.listener->latest();
    echo = std::search(received.begin(), received.end(), sent.begin(), sent.end()) != received.end();
    if (echo) extra_bytes -= std::min(extra_bytes, sent.size());
  }
  ProbeResult result;
  if (!response) {
    result = result_of(response.error(), extra_bytes);
    result.response = steady_now() - begun;  // a refusal comes without its time: this is with the request
  } else {
    result = {Presence::there, true, false, std::string(table_word(table)) + " register 0", response->took};
    result.extra_bytes = extra_bytes - std::min(extra_bytes, response->pdu.size() + kRtuExtraBytes);
  }
  result.echo = echo;
  return result;
}

std::string UnitProbe::find_double(Table table) {
  unsigned damaged = 0;
  for (unsigned i = 0; i < kConfirmations; ++i) {
    const ProbeResult again = probe(table);
    if (again.presence == Presence::garbled) ++damaged;
    if (again.presence != Presence::there || !line_.listener) continue;
    if (!line_.listener->listen(kSecondAnswer, stop_, wake_fd_)) break;
    if (const std::size_t more = again.extra_bytes + line_.listener->take_count(); more > 0) {
      return std::to_string(more) +
             " more bytes were received with its response: two devices with this unit id, or noise";
    }
  }
  if (damaged == 0) return "";
  return "some of its responses are damaged: two devices with this unit id, termination missing, or noise";
}

Identification UnitProbe::identify() {
  Identification all;
  std::uint8_t level = kBasic;
  std::uint8_t object = 0;
  for (unsigned parts = 0; parts < kMostParts; ++parts) {
    const auto response = transact(identification_request(level, object), parts == 0 ? 0U : 1U);
    if (!response) break;
    const auto part = parse_identification(response->pdu);
    if (!part) break;
    for (const auto& [id, text] : part->objects) all.emplace(id, text);
    if (part->more) {
      if (*part->more <= object) break;  // it would go round in a circle
      object = *part->more;
    } else if (level == kBasic && (part->conformity & 0x7f) >= kRegular) {
      level = kRegular;
      object = kFirstRegular;
    } else {
      break;
    }
  }
  std::erase_if(all, [](const auto& entry) { return entry.second.empty(); });
  return all;
}

}  // namespace baudbridge::scan
