#include "adapters/exec/record_gatherer.h"

#include <algorithm>
#include <utility>

namespace baudbridge {
namespace {

constexpr std::size_t kShownBytes = 80;

/// Enough of a line to find it, cut between characters.
std::string shortened(std::string_view line) {
  if (line.size() <= kShownBytes) return std::string(line);
  std::size_t end = kShownBytes;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return std::string(line.substr(0, end)) + "...";
}

}  // namespace

RecordGatherer::RecordGatherer(std::vector<std::string> devices) {
  for (auto& id : devices) devices_.push_back({std::move(id), {}, {}});
}

void RecordGatherer::take(std::string_view bytes, Steady now) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end);
    if (partial_.size() + piece.size() > kMostLineBytes) {
      if (!overlong_) refuse(partial_.empty() ? piece : std::string_view(partial_), "the line is longer than 64 KiB");
      overlong_ = true;
      partial_.clear();
    }
    if (end == std::string_view::npos) {
      if (!overlong_) partial_ += piece;
      return;
    }
    bytes.remove_prefix(end + 1);
    last_line_at_ = now;
    if (std::exchange(overlong_, false)) continue;
    if (partial_.empty()) {
      take_line(piece, now);
    } else {
      partial_ += piece;
      take_line(partial_, now);
      partial_.clear();
    }
  }
}

void RecordGatherer::take_line(std::string_view line, Steady now) {
  auto parsed = parse_protocol_line(line);
  if (!parsed) {
    refuse(line, parsed.error().what);
  } else if (auto* fact = std::get_if<Fact>(&*parsed)) {
    take_fact(std::move(*fact), line, now);
  } else if (std::holds_alternative<Ready>(*parsed)) {
    ready_ = true;
    pause();
  } else if (std::holds_alternative<EndOfRecord>(*parsed)) {
    pause();
  }
}

void RecordGatherer::take_fact(Fact fact, std::string_view line, Steady now) {
  auto device = devices_.begin();
  if (!fact.device.empty()) {
    device =
        std::find_if(devices_.begin(), devices_.end(), [&](const Device& known) { return known.id == fact.device; });
    if (device == devices_.end()) return refuse(line, "no device '" + fact.device + "' on this bus");
  } else if (devices_.size() > 1) {
    return refuse(line, "this bus has several devices: <device>/<point> is needed");
  } else if (device == devices_.end()) {
    return refuse(line, "no device is configured on this bus");
  }
  Gathered& open = device->open;
  const bool all = fact.point == "*";
  const bool again =
      std::any_of(open.facts.begin(), open.facts.end(), [&](const Fact& known) { return known.point == fact.point; });
  if (again || (all && !open.facts.empty()) || open.facts.size() >= kMostFacts) complete(*device);
  open.at = now;
  if (all) {
    open.silence = fact.value.error();
    complete(*device);
  } else {
    open.facts.push_back(std::move(fact));
  }
}

void RecordGatherer::complete(Device& device) {
  if (device.open.facts.empty() && !device.open.silence) return;
  device.complete.push_back(std::exchange(device.open, {}));
}

void RecordGatherer::pause() {
  for (auto& device : devices_) complete(device);
}

void RecordGatherer::end() {
  pause();
  partial_.clear();
  overlong_ = false;
}

void RecordGatherer::reset() {
  for (auto& device : devices_) device.open = {};
  partial_.clear();
  overlong_ = false;
  ready_ = false;
}

std::optional<Steady> RecordGatherer::pause_at() const {
  const bool gathering =
      std::any_of(devices_.begin(), devices_.end(), [](const Device& device) { return !device.open.facts.empty(); });
  if (!gathering) return std::nullopt;
  return last_line_at_ + kPause;
}

bool RecordGatherer::has_any() const {
  return std::any_of(devices_.begin(), devices_.end(), [](const Device& device) { return !device.complete.empty(); });
}

std::optional<RecordGatherer::Gathered> RecordGatherer::next(std::size_t device) {
  auto& complete = devices_[device].complete;
  if (complete.empty()) return std::nullopt;
  Gathered gathered = std::move(complete.front());
  complete.pop_front();
  return gathered;
}

void RecordGatherer::refuse(std::string_view line, const std::string& why) {
  ++malformed_;
  last_malformed_ = "'" + shortened(line) + "': " + why;
}

}  // namespace baudbridge
