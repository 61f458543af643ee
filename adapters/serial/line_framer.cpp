#include <charconv>
#include <utility>

#include "adapters/serial/framer.h"

namespace baudbridge {
namespace {

constexpr char kSevenBits = 0x7F;
constexpr std::size_t kHexDigits = 2;

std::optional<unsigned> hex_byte(std::string_view digits) {
  unsigned value = 0;
  if (digits.size() != kHexDigits) return std::nullopt;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (failed != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// "$IIMWV,271.0,R,000.2,N,A*3B" -> without "*3B", and without what noise put before the '$'.
std::optional<std::string_view> checked_nmea(std::string_view line) {
  const auto begin = line.find_last_of("$!");
  if (begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin);
  const auto star = line.rfind('*');
  if (star == std::string_view::npos) return std::nullopt;
  const auto stated = hex_byte(line.substr(star + 1));
  if (!stated || *stated != checksum_of(ChecksumKind::xor8, line.substr(1, star - 1))) return std::nullopt;
  return line.substr(0, star);
}

std::optional<std::string_view> checked_xor(std::string_view line) {
  if (line.size() <= kHexDigits) return std::nullopt;
  const std::string_view text = line.substr(0, line.size() - kHexDigits);
  const auto stated = hex_byte(line.substr(text.size()));
  if (!stated || *stated != checksum_of(ChecksumKind::xor8, text)) return std::nullopt;
  return text;
}

std::optional<std::string_view> checked(LineChecksum kind, std::string_view line) {
  switch (kind) {
    case LineChecksum::nmea:
      return checked_nmea(line);
    case LineChecksum::xor8:
      return checked_xor(line);
    case LineChecksum::none:
      break;
  }
  return line;
}

}  // namespace

void LineFramer::restart(bool at_beginning) {
  line_.clear();
  ready_.clear();
  const bool cut_shows = rules_.cut_shows || rules_.checksum != LineChecksum::none || !rules_.start.empty();
  skipping_ = !at_beginning && !cut_shows;
  first_ = !at_beginning;
}

void LineFramer::feed(std::string_view bytes) {
  for (char c : bytes) {
    if (rules_.seven_bits) c = static_cast<char>(c & kSevenBits);
    if (rules_.ends.find(c) != std::string::npos) {
      end_line();
    } else if (skipping_) {
      if (!first_) ++counts_.extra_bytes;
    } else if (line_.size() == rules_.max_length) {
      counts_.extra_bytes += line_.size() + 1;
      line_.clear();
      skipping_ = true;
      first_ = false;
    } else {
      line_.push_back(c);
    }
  }
}

void LineFramer::end_line() {
  const bool cut = std::exchange(skipping_, false);
  std::string line = std::exchange(line_, {});
  const bool first = std::exchange(first_, false);
  if (cut || line.empty()) return;
  std::string_view text = line;
  if (!rules_.start.empty()) {
    const auto mark = text.rfind(rules_.start);
    if (mark == std::string_view::npos) {
      if (!first) counts_.extra_bytes += line.size();
      return;
    }
    text.remove_prefix(mark);
  }
  const auto good = checked(rules_.checksum, text);
  if (!good) {
    if (!first) ++counts_.damaged;
    if (!first) counts_.extra_bytes += line.size();
    return;
  }
  ++counts_.frames;
  ready_.emplace_back(good->substr(rules_.start.size()));
}

std::optional<std::string> LineFramer::next() {
  if (ready_.empty()) return std::nullopt;
  std::string line = std::move(ready_.front());
  ready_.pop_front();
  return line;
}

void LineFramer::give_up() {
  counts_.extra_bytes += line_.size();
  line_.clear();
}

}  // namespace baudbridge
