#include "adapters/serial/listener.h"

#include <algorithm>
#include <utility>

namespace baudbridge {
namespace {

/// Frames that wait for the next poll; with more (during `read`) the oldest are dropped.
constexpr std::size_t kMostWaiting = 64;
/// Taken later than this part of its period: the next period begins now.
constexpr int kLatePart = 20;

}  // namespace

Listener::Listener(const DecodePlan& plan, std::size_t points, Duration every)
    : framer_(plan.framer()), decoder_(plan.decoder()), every_(every), latest_(points) {}

void Listener::restart(bool at_beginning, Steady now) {
  framer_->restart(at_beginning);
  frames_.clear();
  std::fill(latest_.begin(), latest_.end(), std::nullopt);
  any_latest_ = false;
  next_due_ = now;
  received_at_ = now;
  count_from_here();
}

void Listener::count_from_here() {
  bytes_unused_ = 0;
  foreign_ = 0;
  unreadable_ = 0;
  damaged_before_ = framer_->counts().damaged;
}

void Listener::feed(std::string_view bytes, Steady now) {
  bytes_unused_ += bytes.size();
  framer_->feed(bytes);
  pull(now);
}

void Listener::give_up(Steady now) {
  framer_->give_up();
  pull(now);
}

void Listener::pull(Steady now) {
  while (const auto frame = framer_->next()) {
    std::vector<PointValue> values;
    switch (decoder_->decode(*frame, values)) {
      case FrameKind::foreign:
        ++foreign_;
        break;
      case FrameKind::damaged:
        ++unreadable_;
        break;
      case FrameKind::own:
        keep(std::move(values), now);
        break;
    }
  }
}

void Listener::keep(std::vector<PointValue> values, Steady now) {
  received_at_ = now;
  count_from_here();
  if (every_ == Duration::zero()) {
    if (frames_.size() == kMostWaiting) frames_.pop_front();
    frames_.push_back({std::move(values), now});
    return;
  }
  for (PointValue& value : values) latest_[value.point] = std::move(value);
  any_latest_ = true;
  latest_at_ = now;
}

bool Listener::due(Steady now) const {
  return !frames_.empty() || (any_latest_ && now >= next_due_);
}

std::optional<Steady> Listener::due_at() const {
  if (!frames_.empty()) return frames_.front().at;
  if (any_latest_) return next_due_;
  return std::nullopt;
}

std::optional<FrameValues> Listener::take(Steady now) {
  if (!due(now)) return std::nullopt;
  if (!frames_.empty()) {
    FrameValues received = std::move(frames_.front());
    frames_.pop_front();
    return received;
  }
  FrameValues received{{}, latest_at_};
  for (auto& value : latest_) {
    if (value) received.values.push_back(std::move(*value));
    value.reset();
  }
  any_latest_ = false;
  // In step with its period; from now at the first time, and after a pause.
  next_due_ = (now - next_due_ < every_ / kLatePart ? next_due_ : now) + every_;
  return received;
}

std::uint64_t Listener::damaged() const {
  return framer_->counts().damaged - damaged_before_ + unreadable_;
}

std::string Listener::diagnosis() const {
  if (bytes_unused_ == 0) return "";
  const std::string came = std::to_string(bytes_unused_) + " bytes were received, ";
  if (damaged() > 0) {
    return came + "with " + std::to_string(damaged()) +
           " damaged frames among them: check the cable, baud, parity, and length and checksum in [device.decode]";
  }
  if (foreign_ > 0) {
    return came + "but of " + std::to_string(foreign_) + " frames or lines none matches [device.decode] and its points";
  }
  return came + "but no frame among them: check baud, data_bits, parity, and [device.decode]";
}

}  // namespace baudbridge
