#include "adapters/adapter.h"

#include <algorithm>
#include <cmath>

#include "adapters/shaping.h"

namespace baudbridge {
namespace {

/// A fault of a received response: the device is online.
bool carried_by_answer(const Error& error) {
  switch (error.kind) {
    case Fault::checksum:
    case Fault::malformed:
    case Fault::exception:
    case Fault::not_available:
    case Fault::out_of_range:
    case Fault::adapter:
      return true;
    default:
      return false;
  }
}

}  // namespace

void PollContext::add(std::size_t point, std::string_view id, Result<Value> value) {
  if (readings_.empty()) {
    readings_.reserve(due_.size());
    reading_points_.reserve(due_.size());
  }
  answered_ = answered_ || value || carried_by_answer(value.error());
  readings_.push_back(Reading{std::string(id), std::move(value)});
  reading_points_.push_back(point);
}

/// Most values of most devices need no shaping: what is configured of such a point is not even looked at.
bool PollContext::add_plain(std::size_t point, const Value& raw) {
  if (point >= device_->plain_ids.size() || device_->plain_ids[point].empty()) return false;
  const auto* number = std::get_if<double>(&raw);
  if (number != nullptr && !std::isfinite(*number)) return false;
  add(point, device_->plain_ids[point], raw);
  return true;
}

void PollContext::report(std::size_t point, const Value& raw) {
  if (add_plain(point, raw)) return;
  const Point& known = device_->points[point];
  add(point, known.id, shape(known, raw, std::nullopt));
}

void PollContext::report(std::size_t point, const Value& raw, std::uint64_t bits) {
  if (add_plain(point, raw)) return;
  const Point& known = device_->points[point];
  add(point, known.id, shape(known, raw, bits));
}

void PollContext::report_unlisted(std::string_view point, Value value) {
  const auto* number = std::get_if<double>(&value);
  if (number != nullptr && !std::isfinite(*number)) {
    add(kUnlisted, point, Error{Fault::not_available, "not a number"});
  } else {
    add(kUnlisted, point, std::move(value));
  }
}

void PollContext::report_fault(std::size_t point, Error error) {
  add(point, device_->points[point].id, std::move(error));
}

void PollContext::report_unlisted_fault(std::string_view point, Error error) {
  add(kUnlisted, point, std::move(error));
}

void PollContext::report_silence(const Error& error) {
  const auto reported = [&](std::size_t point) {
    return std::find(reading_points_.begin(), reading_points_.end(), point) != reading_points_.end();
  };
  for (const std::size_t point : due_) {
    if (!reported(point)) report_fault(point, error);
  }
  silent_ = true;
  silence_ = error;
}

}  // namespace baudbridge
