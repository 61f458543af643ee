#include <algorithm>
#include <utility>

#include "adapters/adapter.h"
#include "adapters/runtime/runner.h"
#include "core/poll_until.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kListenInTurn = 100ms;
constexpr Duration kIdlePause = 1ms;

/// What was read of one device.
struct DeviceSample {
  const DevicePlan* device = nullptr;
  Sample sample;
  bool done = false;
};

std::vector<std::size_t> all_points(const DevicePlan& device) {
  std::vector<std::size_t> points(device.points.size());
  for (std::size_t i = 0; i < points.size(); ++i) points[i] = i;
  return points;
}

Reading* find_reading(Sample& sample, const std::string& point) {
  const auto found = std::find_if(sample.readings.begin(), sample.readings.end(),
                                  [&](const Reading& reading) { return reading.point == point; });
  return found == sample.readings.end() ? nullptr : &*found;
}

/// Gives the points without a reading this fault.
void fill_missing(DeviceSample& device, const Error& why) {
  for (const auto& point : device.device->points) {
    if (find_reading(device.sample, point.id) == nullptr) device.sample.readings.push_back(Reading{point.id, why});
  }
}

class ReadOnce {
 public:
  ReadOnce(const BusPlan& plan, const Clock& clock, const std::vector<bool>& wanted)
      : plan_(plan), clock_(clock), adapter_(plan.make()) {
    for (std::size_t i = 0; i < plan.devices.size(); ++i) {
      const bool unwanted = i < wanted.size() && !wanted[i];
      const DevicePlan& device = plan.devices[i];
      devices_.push_back({&device, Sample{device.id, taken_at(clock_.now(), clock_.boot_id()), {}}, unwanted});
    }
  }

  std::vector<Sample> run(Duration timeout) {
    if (auto opened = adapter_->open(); !opened) {
      fail(opened.error());
    } else if (auto read = read_all(timeout); !read) {
      fail(read.error());
    }
    adapter_->close();
    std::vector<Sample> samples;
    for (auto& device : devices_) samples.push_back(std::move(device.sample));
    return samples;
  }

 private:
  Result<void> read_all(Duration timeout) {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      if (plan_.devices[i].unsolicited || devices_[i].done) continue;
      const Duration limit = plan_.devices[i].poll_limit > Duration::zero() ? plan_.devices[i].poll_limit : kPollLimit;
      if (auto polled = poll(i, clock_.now().steady + limit); !polled) return polled;
      fill_missing(devices_[i], Error{Fault::timeout, "no response"});
      devices_[i].done = true;
    }
    return listen(clock_.now().steady + timeout, timeout);
  }

  Result<void> listen(Steady until, Duration timeout) {
    const auto waits = [](const DeviceSample& device) { return !device.done; };
    while (std::any_of(devices_.begin(), devices_.end(), waits)) {
      if (clock_.now().steady >= until) break;
      const bool alone = std::count_if(devices_.begin(), devices_.end(), waits) == 1;
      for (std::size_t i = 0; i < devices_.size(); ++i) {
        if (devices_[i].done) continue;
        const Steady begun = clock_.now().steady;
        if (auto polled = poll(i, alone ? until : std::min(until, begun + kListenInTurn)); !polled) return polled;
        // An adapter that returns at once without a reading must not keep the processor busy.
        if (clock_.now().steady - begun < kIdlePause) wait_readable(-1, begun + kIdlePause);
        devices_[i].done = complete(devices_[i]);
      }
    }
    for (auto& device : devices_) {
      if (!device.done) fill_missing(device, Error{Fault::timeout, "nothing received for " + duration_text(timeout)});
    }
    return {};
  }

  /// An unsolicited device has sent every configured point or, if none is configured, any point.
  static bool complete(DeviceSample& device) {
    if (device.sample.readings.empty()) return false;
    return std::all_of(device.device->points.begin(), device.device->points.end(),
                       [&](const Point& point) { return find_reading(device.sample, point.id) != nullptr; });
  }

  Result<void> poll(std::size_t index, Steady deadline) {
    DeviceSample& read = devices_[index];
    const DevicePlan& device = *read.device;
    PollContext context(device, index, device.unsolicited ? std::vector<std::size_t>{} : all_points(device),
                        {deadline, {}, -1});
    auto polled = adapter_->poll(context);
    const Now end = clock_.now();
    if (!context.readings().empty()) {
      const Now taken = moment_before(end, context.answered_at().value_or(end.steady));
      read.sample.taken = taken_at(taken, clock_.boot_id());
    }
    for (auto& reading : context.take_readings()) {
      if (Reading* known = find_reading(read.sample, reading.point)) {
        *known = std::move(reading);
      } else {
        read.sample.readings.push_back(std::move(reading));
      }
    }
    return polled;
  }

  /// The bus is gone: what was not read has this fault.
  void fail(const Error& why) {
    for (auto& device : devices_) {
      if (!device.done) fill_missing(device, why);
    }
  }

  const BusPlan& plan_;
  const Clock& clock_;
  std::unique_ptr<Adapter> adapter_;
  std::vector<DeviceSample> devices_;
};

}  // namespace

std::vector<Sample> read_once(const BusPlan& plan, const Clock& clock, Duration timeout,
                              const std::vector<bool>& wanted) {
  return ReadOnce(plan, clock, wanted).run(timeout);
}

}  // namespace baudbridge
