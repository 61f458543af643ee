#include "adapters/modbus/rtu_frame.h"

#include <algorithm>
#include <array>
#include <utility>

namespace baudbridge {
namespace {

constexpr std::size_t kMaxBuffer = 1024;

std::array<std::uint16_t, 256> make_crc_table() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    unsigned crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? (crc >> 1) ^ 0xa001U : crc >> 1;
    table[i] = static_cast<std::uint16_t>(crc);
  }
  return table;
}

bool crc_good(std::span<const std::uint8_t> frame) {
  const std::uint16_t crc = crc16(frame.first(frame.size() - 2));
  return frame[frame.size() - 2] == (crc & 0xff) && frame[frame.size() - 1] == (crc >> 8);
}

/// The sizes that a frame starting like this may have, 0 for none: as a response, and as a request.
std::pair<std::size_t, std::size_t> possible_sizes(std::span<const std::uint8_t> bytes) {
  const std::uint8_t function = bytes[1];
  if ((function & 0x80) != 0) return {5, 0};
  switch (function) {
    case 1:
    case 2:
      return {bytes.size() > 2 && bytes[2] > 0 ? bytes[2] + 5U : 0U, 8};
    case 3:
    case 4:
      return {bytes.size() > 2 && bytes[2] > 0 && bytes[2] % 2 == 0 ? bytes[2] + 5U : 0U, 8};
    case 5:
    case 6:
      return {8, 0};
    case 15:
    case 16:
      return {8, bytes.size() > 6 ? bytes[6] + 9U : 0U};
    default:
      return {0, 0};
  }
}

}  // namespace

std::uint16_t crc16(std::span<const std::uint8_t> bytes) {
  static const std::array<std::uint16_t, 256> kTable = make_crc_table();
  std::uint16_t crc = 0xffff;
  for (const std::uint8_t byte : bytes) crc = static_cast<std::uint16_t>((crc >> 8) ^ kTable[(crc ^ byte) & 0xff]);
  return crc;
}

Bytes rtu_frame(std::uint8_t unit, std::span<const std::uint8_t> pdu) {
  Bytes frame{unit};
  frame.insert(frame.end(), pdu.begin(), pdu.end());
  const std::uint16_t crc = crc16(frame);
  frame.push_back(static_cast<std::uint8_t>(crc & 0xff));
  frame.push_back(static_cast<std::uint8_t>(crc >> 8));
  return frame;
}

void RtuReceiver::expect(std::uint8_t unit, Bytes sent_frame, ExpectedResponse expected, bool echoes) {
  expect_nothing();
  unit_ = unit;
  sent_ = std::move(sent_frame);
  expected_ = std::move(expected);
  echoes_ = echoes;
  waiting_ = true;
}

void RtuReceiver::expect_nothing() {
  buffer_.clear();
  sent_.clear();
  dropped_ = 0;
  waiting_ = false;
  echo_received_ = false;
  damaged_ = false;
  begun_ = false;
}

/// Does our response (or an exception, or our echo where the line echoes) start here?
RtuReceiver::Match RtuReceiver::own_at(std::size_t at, std::size_t& size) const {
  const auto bytes = std::span(buffer_).subspan(at);
  if (!waiting_ || bytes[0] != unit_) return Match::no;
  if (bytes.size() == 1) return Match::partial;
  if (bytes[1] == (expected_.function | 0x80)) {
    size = 5;
  } else {
    const std::size_t there = std::min(expected_.start.size(), bytes.size() - 1);
    if (!std::equal(expected_.start.begin(), expected_.start.begin() + static_cast<std::ptrdiff_t>(there),
                    bytes.begin() + 1)) {
      return Match::no;
    }
    size = expected_.size + kRtuExtraBytes;
    if (expected_.size == 0) {
      const auto pdu_size = identification_size(bytes.subspan(1));
      if (!pdu_size) return Match::partial;
      size = *pdu_size + kRtuExtraBytes;
    }
  }
  if (bytes.size() < size) return Match::partial;
  return crc_good(bytes.first(size)) ? Match::whole : Match::damaged;
}

/// Takes a good frame that is not our response, if one starts here.
bool RtuReceiver::foreign_at(std::size_t at) {
  const auto bytes = std::span<const std::uint8_t>(buffer_).subspan(at);
  if (bytes.size() < 5) return false;
  const auto [as_reply, as_request] = possible_sizes(bytes);
  for (const bool request : {false, true}) {
    const std::size_t size = request ? as_request : as_reply;
    if (size == 0 || bytes.size() < size || !crc_good(bytes.first(size))) continue;
    ForeignFrame frame{
        bytes[0], Bytes(bytes.begin() + 1, bytes.begin() + static_cast<std::ptrdiff_t>(size) - 2), request,
        waiting_ &&
            std::equal(sent_.begin(), sent_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size))};
    if (frame.echo) echo_received_ = echo_received_ || request;
    foreign_.push_back(std::move(frame));
    drop_front(at + size);
    dropped_ -= size;
    return true;
  }
  return false;
}

void RtuReceiver::drop_front(std::size_t count) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(count));
  dropped_ += count;
}

/// Takes a whole frame out of the buffer, and what is before it.
Bytes RtuReceiver::take_frame(std::size_t at, std::size_t size) {
  const auto first = buffer_.begin() + static_cast<std::ptrdiff_t>(at);
  Bytes frame(first, first + static_cast<std::ptrdiff_t>(size));
  drop_front(at + size);
  dropped_ -= size;
  return frame;
}

std::optional<Bytes> RtuReceiver::at_last() {
  for (std::size_t at = 0; at < buffer_.size(); ++at) {
    std::size_t size = 0;
    if (own_at(at, size) != Match::whole) continue;
    const Bytes frame = take_frame(at, size);
    if (echoes_ && !echo_received_ && frame == sent_) {
      echo_received_ = true;
      at = 0;
      continue;
    }
    return Bytes(frame.begin() + 1, frame.end() - 2);
  }
  return std::nullopt;
}

std::optional<Bytes> RtuReceiver::feed(std::span<const std::uint8_t> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() > kMaxBuffer) drop_front(buffer_.size() - kMaxBuffer);
  damaged_ = false;
  begun_ = false;
  for (std::size_t at = 0; at < buffer_.size();) {
    std::size_t size = 0;
    const Match match = own_at(at, size);
    if (match == Match::partial && buffer_.size() - at >= 3) begun_ = true;
    // A frame that could be ours is waited for: it is judged once as many bytes are there as it would have.
    if (match == Match::partial && (buffer_.size() - at < 5 || !foreign_at(at))) {
      if (begun_) return std::nullopt;
      ++at;
      continue;
    }
    if (match == Match::partial) {
      begun_ = false;
      at = 0;
      continue;
    }
    if (match == Match::damaged) damaged_ = true;
    if (match != Match::whole) {
      at = foreign_at(at) ? 0 : at + 1;
      continue;
    }
    Bytes frame = take_frame(at, size);
    at = 0;
    if (!echoes_ || echo_received_ || frame != sent_) return Bytes(frame.begin() + 1, frame.end() - 2);
    echo_received_ = true;
    foreign_.push_back({frame[0], Bytes(frame.begin() + 1, frame.end() - 2), true, true});
  }
  return std::nullopt;
}

std::vector<ForeignFrame> RtuReceiver::take_foreign_frames() {
  return std::exchange(foreign_, {});
}

}  // namespace baudbridge
