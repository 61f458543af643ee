#include <algorithm>
#include <utility>

#include "adapters/serial/framer.h"

namespace baudbridge {
namespace {

bool begins_with(std::string_view text, std::string_view mark) {
  return text.substr(0, mark.size()) == mark;
}
bool ends_with(std::string_view text, std::string_view mark) {
  return text.size() >= mark.size() && text.substr(text.size() - mark.size()) == mark;
}

}  // namespace

void FrameFramer::restart(bool at_beginning) {
  buffer_.clear();
  begin_ = 0;
  giving_up_ = false;
  synchronised_ = at_beginning;
}

void FrameFramer::feed(std::string_view bytes) {
  compact();
  buffer_.append(bytes);
  if (rules_.seven_bits) {
    for (std::size_t i = buffer_.size() - bytes.size(); i < buffer_.size(); ++i) {
      buffer_[i] = static_cast<char>(buffer_[i] & 0x7F);
    }
  }
  giving_up_ = false;
}

void FrameFramer::give_up() {
  giving_up_ = true;
}

void FrameFramer::compact() {
  buffer_.erase(0, begin_);
  begin_ = 0;
}

void FrameFramer::drop_byte(bool damaged) {
  ++begin_;
  if (!synchronised_) return;
  ++counts_.extra_bytes;
  if (damaged) ++counts_.damaged;
}

std::optional<std::string> FrameFramer::next() {
  std::string frame;
  while (begin_ < buffer_.size()) {
    const std::string_view rest = std::string_view(buffer_).substr(begin_);
    std::size_t used = 0;
    const Look found = rules_.escape ? look_stuffed(rest, frame, used) : look(rest, frame, used);
    if (found == Look::incomplete && !giving_up_) return std::nullopt;
    if (found == Look::complete && valid(frame)) {
      begin_ += used;
      ++counts_.frames;
      synchronised_ = true;
      return frame;
    }
    drop_byte(found == Look::complete);
  }
  return std::nullopt;
}

/// How long the frame that begins here is; if unknown, `why`.
std::optional<std::size_t> FrameFramer::total_length(std::string_view bytes, Look& why) const {
  if (rules_.length != 0) return rules_.length;
  if (rules_.length_field) {
    const auto& field = *rules_.length_field;
    if (bytes.size() < field.offset + field.size) {
      why = Look::incomplete;
      return std::nullopt;
    }
    std::size_t value = 0;
    for (std::size_t i = 0; i < field.size; ++i) {
      const std::size_t at = field.offset + (field.little ? field.size - 1 - i : i);
      value = (value << 8) | static_cast<std::uint8_t>(bytes[at]);
    }
    const long total = static_cast<long>(value) + field.add;
    const auto least = static_cast<long>(std::max(field.offset + field.size, rules_.start.size() + rules_.end.size()));
    why = Look::none;
    if (total < least || total > static_cast<long>(rules_.max_length)) return std::nullopt;
    return static_cast<std::size_t>(total);
  }
  const auto end = bytes.find(rules_.end, rules_.start.size());
  if (end != std::string_view::npos && end + rules_.end.size() <= rules_.max_length) return end + rules_.end.size();
  why = end == std::string_view::npos && bytes.size() < rules_.max_length ? Look::incomplete : Look::none;
  return std::nullopt;
}

FrameFramer::Look FrameFramer::look(std::string_view bytes, std::string& frame, std::size_t& used) const {
  const std::size_t mark = std::min(bytes.size(), rules_.start.size());
  if (bytes.substr(0, mark) != std::string_view(rules_.start).substr(0, mark)) return Look::none;
  if (mark < rules_.start.size()) return Look::incomplete;
  Look why = Look::none;
  const auto total = total_length(bytes, why);
  if (!total) return why;
  if (bytes.size() < *total) return Look::incomplete;
  frame.assign(bytes.substr(0, *total));
  used = *total;
  return Look::complete;
}

FrameFramer::Look FrameFramer::look_stuffed(std::string_view bytes, std::string& frame, std::size_t& used) const {
  const std::size_t mark = std::min(bytes.size(), rules_.start.size());
  if (bytes.substr(0, mark) != std::string_view(rules_.start).substr(0, mark)) return Look::none;
  if (mark < rules_.start.size()) return Look::incomplete;
  const auto end = bytes.find(rules_.end, rules_.start.size());
  if (end == std::string_view::npos) return bytes.size() < 2 * rules_.max_length ? Look::incomplete : Look::none;
  frame = rules_.start;
  const std::string_view inside = bytes.substr(rules_.start.size(), end - rules_.start.size());
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] != rules_.escape->mark) {
      frame.push_back(inside[i]);
    } else if (++i < inside.size()) {
      frame.push_back(static_cast<char>(inside[i] ^ rules_.escape->xored));
    } else {
      return Look::none;
    }
  }
  frame += rules_.end;
  used = end + rules_.end.size();
  // Where start and end are the same mark, one that was taken for the end of nothing may be the start of a frame.
  return inside.empty() || frame.size() > rules_.max_length ? Look::none : Look::complete;
}

bool FrameFramer::valid(std::string_view frame) const {
  if (!begins_with(frame, rules_.start) || !ends_with(frame, rules_.end)) return false;
  if (rules_.length_field || rules_.length != 0) {
    Look why = Look::none;
    const auto total = total_length(frame, why);
    if (!total || *total != frame.size()) return false;
  }
  return checksum_good(rules_.checksum, frame);
}

}  // namespace baudbridge
