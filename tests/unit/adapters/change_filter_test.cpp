#include "adapters/runtime/change_filter.h"

#include "adapters/adapter.h"
#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

const Error kNoAnswer{Fault::timeout, "no response"};
const Error kOutOfRange{Fault::out_of_range, "130 is above max 120"};

DevicePlan meter() {
  DevicePlan device;
  device.id = "meter";
  device.points.resize(3);
  device.points[0].id = "plain";
  device.points[1].id = "banded";
  device.points[1].deadband.absolute = 0.2;
  device.points[2].id = "percent";
  device.points[2].deadband.percent = 1.0;
  return device;
}

std::vector<std::string> names(const std::vector<Reading>& readings) {
  std::vector<std::string> names;
  for (const auto& reading : readings) names.push_back(reading.point);
  return names;
}

struct Filter {
  explicit Filter(DevicePlan device = meter()) : plan(std::move(device)), inner(plan) {}

  std::vector<std::string> publish(std::size_t point, Result<Value> value, Duration when) {
    const std::vector<std::size_t> points{point};
    return names(inner.filter({Reading{plan.points[point].id, std::move(value)}}, points, at(when)));
  }

  DevicePlan plan;
  ChangeFilter inner;
};

const std::vector<std::string> kNothing;

}  // namespace

TEST_CASE("a point without deadband is published every time, changed or not") {
  Filter filter;
  for (int i = 0; i < 3; ++i) REQUIRE(filter.publish(0, Value{1.0}, i * 1s) == std::vector<std::string>{"plain"});
}

TEST_CASE("a point with a deadband is published when it has changed by it since it was last published") {
  Filter filter;
  REQUIRE_FALSE(filter.publish(1, Value{20.0}, 0s).empty());
  REQUIRE(filter.publish(1, Value{20.1}, 1s) == kNothing);
  REQUIRE(filter.publish(1, Value{20.19}, 2s) == kNothing);
  REQUIRE_FALSE(filter.publish(1, Value{20.2}, 3s).empty());  // from 20.0, not from 20.19
  REQUIRE(filter.publish(1, Value{20.01}, 4s) == kNothing);
  REQUIRE_FALSE(filter.publish(1, Value{20.0}, 5s).empty());
  REQUIRE(filter.publish(1, Value{20.0}, 1000s) == kNothing);
}

TEST_CASE("a deadband in percent is of the value that was last published") {
  Filter filter;
  REQUIRE_FALSE(filter.publish(2, Value{std::int64_t{1000}}, 0s).empty());
  REQUIRE(filter.publish(2, Value{std::int64_t{1009}}, 1s) == kNothing);
  REQUIRE_FALSE(filter.publish(2, Value{std::int64_t{1010}}, 2s).empty());
  REQUIRE_FALSE(filter.publish(2, Value{std::int64_t{0}}, 3s).empty());
  REQUIRE(filter.publish(2, Value{std::int64_t{0}}, 4s) == kNothing);
  REQUIRE_FALSE(filter.publish(2, Value{0.001}, 5s).empty());  // a percent of nothing is nothing
}

TEST_CASE("publish_at_least publishes a value that has not changed") {
  Filter filter;
  filter.plan.points[1].publish_at_least = 5min;
  REQUIRE_FALSE(filter.publish(1, Value{20.0}, 0s).empty());
  REQUIRE(filter.publish(1, Value{20.0}, 299s) == kNothing);
  REQUIRE_FALSE(filter.publish(1, Value{20.0}, 300s).empty());
  REQUIRE(filter.publish(1, Value{20.0}, 599s) == kNothing);
}

TEST_CASE("a text with a deadband is published when it has changed") {
  Filter filter;
  REQUIRE_FALSE(filter.publish(1, Value{std::string{"on"}}, 0s).empty());
  REQUIRE(filter.publish(1, Value{std::string{"on"}}, 1s) == kNothing);
  REQUIRE_FALSE(filter.publish(1, Value{std::string{"off"}}, 2s).empty());
  REQUIRE_FALSE(filter.publish(1, Value{7.0}, 3s).empty());
}

TEST_CASE("a fault that begins, changes or ends is published, deadband or not") {
  Filter filter;
  for (const std::size_t point : {0U, 1U}) {
    REQUIRE_FALSE(filter.publish(point, Value{20.0}, 0s).empty());
    REQUIRE_FALSE(filter.publish(point, kNoAnswer, 1s).empty());
    REQUIRE(filter.publish(point, kNoAnswer, 2s) == kNothing);
    REQUIRE_FALSE(filter.publish(point, kOutOfRange, 3s).empty());
    REQUIRE(filter.publish(point, kOutOfRange, 4s) == kNothing);
    REQUIRE_FALSE(filter.publish(point, Value{20.0}, 5s).empty());
  }
}

TEST_CASE("a fault that continues is included in a record with other points, but makes no record of its own") {
  Filter filter;
  const std::vector<std::size_t> points{0, 1};
  const auto both = [&](Result<Value> second, Duration when) {
    return names(
        filter.inner.filter({Reading{"plain", Value{1.0}}, Reading{"banded", std::move(second)}}, points, at(when)));
  };
  REQUIRE(both(kNoAnswer, 0s).size() == 2);
  REQUIRE(both(kNoAnswer, 1s) == std::vector<std::string>{"plain"});  // banded: by exception
  filter.plan.points[1].deadband = {};
  REQUIRE(both(kNoAnswer, 2s).size() == 2);
}

TEST_CASE("a fault of a point with a deadband is published again after publish_at_least") {
  Filter filter;
  filter.plan.points[1].publish_at_least = 1min;
  REQUIRE_FALSE(filter.publish(1, kNoAnswer, 0s).empty());
  REQUIRE(filter.publish(1, kNoAnswer, 59s) == kNothing);
  REQUIRE_FALSE(filter.publish(1, kNoAnswer, 60s).empty());
}

TEST_CASE("an unchanged point with a deadband is left out of a record") {
  Filter filter;
  const std::vector<std::size_t> points{0, 1, 2};
  const auto all = [&](double banded, Duration when) {
    return names(filter.inner.filter(
        {Reading{"plain", Value{1.0}}, Reading{"banded", Value{banded}}, Reading{"percent", Value{5.0}}}, points,
        at(when)));
  };
  REQUIRE(all(1.0, 0s).size() == 3);
  REQUIRE(all(1.1, 1s) == std::vector<std::string>{"plain"});
  REQUIRE(all(1.5, 2s) == std::vector<std::string>{"plain", "banded"});
}

TEST_CASE("an unsolicited device is published once in its period, its faults at once") {
  DevicePlan device = meter();
  device.unsolicited = true;
  device.every = 10s;
  Filter filter(device);
  int published = 0;
  for (int i = 0; i < 2000; ++i) published += filter.publish(0, Value{1.0}, i * 100ms).empty() ? 0 : 1;
  REQUIRE(published == 21);  // at the start, and twenty periods, each half a frame early
  REQUIRE_FALSE(filter.publish(0, kOutOfRange, 200s).empty());
  REQUIRE_FALSE(filter.publish(0, Value{1.0}, 200100ms).empty());
}

TEST_CASE("when the device is offline every point fails, also those that no configuration names") {
  Filter filter;
  const std::vector<std::size_t> points{PollContext::kUnlisted};
  REQUIRE(filter.inner.filter({Reading{"extra", Value{1.0}}}, points, at(0s)).size() == 1);
  const auto readings = filter.inner.everything_fails(kNoAnswer);
  REQUIRE(names(readings) == std::vector<std::string>{"plain", "banded", "percent", "extra"});
  REQUIRE(filter.inner.filter({Reading{"extra", kNoAnswer}}, points, at(1s)).empty());
  REQUIRE_FALSE(filter.publish(1, Value{1.0}, 2s).empty());
}

TEST_CASE("a device with ever new point names does not fill the memory") {
  Filter filter;
  const std::vector<std::size_t> points{PollContext::kUnlisted};
  for (int i = 0; i < 25000; ++i) {
    REQUIRE(filter.inner.filter({Reading{"n" + std::to_string(i), Value{1.0}}}, points, at(0s)).size() == 1);
  }
  REQUIRE(filter.inner.everything_fails(kNoAnswer).size() <= 10003);
}
