#include <algorithm>
#include <utility>

#include "adapters/adapter.h"
#include "adapters/runtime/bus_thread.h"
#include "adapters/runtime/runner.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kListenInTurn = 100ms;
constexpr Duration kIdlePause = 1ms;

/// One device's part of reading everything once.
struct Asked {
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

/// Points that said nothing.
void fill_missing(Asked& asked, const Error& why) {
  for (const auto& point : asked.device->points) {
    if (find_reading(asked.sample, point.id) == nullptr) asked.sample.readings.push_back(Reading{point.id, why});
  }
}

class ReadOnce {
 public:
  ReadOnce(const BusPlan& plan, const Clock& clock, const std::vector<bool>& wanted)
      : plan_(plan), clock_(clock), adapter_(plan.make()) {
    for (std::size_t i = 0; i < plan.devices.size(); ++i) {
      const bool unwanted = i < wanted.size() && !wanted[i];
      const DevicePlan& device = plan.devices[i];
      asked_.push_back({&device, Sample{device.id, taken_at(clock_.now(), clock_.boot_id()), {}}, unwanted});
    }
  }

  std::vector<Sample> run(Duration patience) {
    if (auto opened = adapter_->open(); !opened) {
      fail(opened.error());
    } else if (auto asked = ask(patience); !asked) {
      fail(asked.error());
    }
    adapter_->close();
    std::vector<Sample> samples;
    for (auto& asked : asked_) samples.push_back(std::move(asked.sample));
    return samples;
  }

 private:
  Result<void> ask(Duration patience) {
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      if (plan_.devices[i].talks || asked_[i].done) continue;
      const Duration limit =
          plan_.devices[i].visit_limit > Duration::zero() ? plan_.devices[i].visit_limit : kVisitLimit;
      if (auto visited = visit(i, clock_.now().steady + limit); !visited) return visited;
      fill_missing(asked_[i], Error{Fault::timeout, "no answer"});
      asked_[i].done = true;
    }
    return listen(clock_.now().steady + patience, patience);
  }

  Result<void> listen(Steady until, Duration patience) {
    const auto waits = [](const Asked& asked) { return !asked.done; };
    while (std::any_of(asked_.begin(), asked_.end(), waits)) {
      if (clock_.now().steady >= until) break;
      const bool alone = std::count_if(asked_.begin(), asked_.end(), waits) == 1;
      for (std::size_t i = 0; i < asked_.size(); ++i) {
        if (asked_[i].done) continue;
        const Steady begun = clock_.now().steady;
        if (auto heard = visit(i, alone ? until : std::min(until, begun + kListenInTurn)); !heard) return heard;
        // An adapter that returns at once, with nothing, must not keep the processor busy.
        if (clock_.now().steady - begun < kIdlePause) wait_for_wake(-1, begun + kIdlePause);
        asked_[i].done = complete(asked_[i]);
      }
    }
    for (auto& asked : asked_) {
      if (!asked.done) fill_missing(asked, Error{Fault::timeout, "nothing heard for " + duration_text(patience)});
    }
    return {};
  }

  /// A device that talks has said all that is configured, or, if nothing is, something.
  static bool complete(Asked& asked) {
    if (asked.sample.readings.empty()) return false;
    return std::all_of(asked.device->points.begin(), asked.device->points.end(),
                       [&](const Point& point) { return find_reading(asked.sample, point.id) != nullptr; });
  }

  Result<void> visit(std::size_t index, Steady deadline) {
    Asked& asked = asked_[index];
    const DevicePlan& device = *asked.device;
    PollContext context(device, index, device.talks ? std::vector<std::size_t>{} : all_points(device),
                        {deadline, {}, -1});
    auto polled = adapter_->poll(context);
    const Now end = clock_.now();
    if (!context.readings().empty()) {
      const Now taken = moment_before(end, context.answered_at().value_or(end.steady));
      asked.sample.taken = taken_at(taken, clock_.boot_id());
    }
    for (auto& reading : context.take_readings()) {
      if (Reading* known = find_reading(asked.sample, reading.point)) {
        *known = std::move(reading);
      } else {
        asked.sample.readings.push_back(std::move(reading));
      }
    }
    return polled;
  }

  /// The bus is gone: whatever has not been read will not be.
  void fail(const Error& why) {
    for (auto& asked : asked_) {
      if (!asked.done) fill_missing(asked, why);
    }
  }

  const BusPlan& plan_;
  const Clock& clock_;
  std::unique_ptr<Adapter> adapter_;
  std::vector<Asked> asked_;
};

}  // namespace

std::vector<Sample> read_once(const BusPlan& plan, const Clock& clock, Duration patience,
                              const std::vector<bool>& wanted) {
  return ReadOnce(plan, clock, wanted).run(patience);
}

}  // namespace baudbridge
