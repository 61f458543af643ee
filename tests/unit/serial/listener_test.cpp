#include "adapters/serial/listener.h"

#include "described_device.h"
#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

const char* const kTwoValues = R"(
[device.decode]
kind = "key-value"
[[device.point]]
id = "a"
[[device.point]]
id = "b"
)";

Steady moment(Duration since) {
  return at(since).steady;
}

std::vector<double> numbers(const std::optional<FrameValues>& received) {
  std::vector<double> values;
  if (!received) return values;
  for (const PointValue& value : received->values) values.push_back(as_double(*value.value));
  return values;
}

Listener listener(Duration every) {
  const DescribedDevice device(kTwoValues);
  Listener result(device.device().decode, 2, every);
  result.restart(true, moment(0s));
  return result;
}

using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("with a period of zero each frame is handed on, with the moment of its last byte") {
  Listener device = listener(0s);
  device.feed("a=1\na=2,b=5\n", moment(1s));
  CHECK(numbers(device.take(moment(2s))) == Numbers{1});
  const auto second = device.take(moment(2s));
  CHECK(numbers(second) == Numbers{2, 5});
  CHECK(second->at == moment(1s));
  CHECK_FALSE(device.take(moment(2s)));
}

TEST_CASE("a device that is faster than its period is thinned to the latest of each value") {
  Listener device = listener(10s);
  device.feed("a=1\n", moment(1s));
  CHECK(numbers(device.take(moment(1s))) == Numbers{1});
  device.feed("a=2,b=7\n", moment(2s));
  device.feed("a=3\n", moment(9s));
  CHECK_FALSE(device.due(moment(9s)));
  CHECK(device.due_at() == moment(11s));
  const auto received = device.take(moment(11s));
  CHECK(numbers(received) == Numbers{3, 7});
  CHECK(received->at == moment(9s));
  CHECK_FALSE(device.take(moment(20s)));
}

TEST_CASE("values are handed on in step, and never closer together than the period") {
  Listener device = listener(10s);
  device.feed("a=1\n", moment(1s));
  REQUIRE(device.take(moment(1s)));
  device.feed("a=2\n", moment(10s));
  REQUIRE(device.take(moment(11s + 20ms)));
  device.feed("a=3\n", moment(12s));
  CHECK(device.due_at() == moment(21s));
  REQUIRE(device.take(moment(21s)));
  device.feed("a=4\n", moment(38s));
  REQUIRE(device.take(moment(38s)));
  device.feed("a=5\n", moment(39s));
  CHECK(device.due_at() == moment(48s));
}

TEST_CASE("after a longer silence the next frame is published at once") {
  Listener device = listener(10s);
  device.feed("a=1\n", moment(1s));
  REQUIRE(device.take(moment(1s)));
  device.feed("a=2\n", moment(95s));
  REQUIRE(device.take(moment(95s)));
  device.feed("a=3\n", moment(96s));
  CHECK(device.due_at() == moment(105s));
}

TEST_CASE("frames that are not taken do not pile up") {
  Listener device = listener(0s);
  for (int i = 0; i < 1000; ++i) device.feed("a=" + std::to_string(i) + "\n", moment(1s));
  int count = 0;
  double last = 0;
  while (const auto received = device.take(moment(2s))) {
    ++count;
    last = numbers(received).front();
  }
  CHECK(count == 64);
  CHECK(last == 999);
}

TEST_CASE("bytes that make no frame are counted and reported with what to check") {
  Listener device = listener(0s);
  CHECK(device.diagnosis().empty());
  device.feed(std::string(300, '\xf0'), moment(1s));
  CHECK_THAT(device.diagnosis(), ContainsSubstring("300 bytes were received, but no frame among them: check baud"));
  device.feed("\nc=1\n", moment(2s));
  CHECK_THAT(device.diagnosis(), ContainsSubstring("of 2 frames or lines none matches [device.decode]"));
  device.feed("a=1\n", moment(3s));
  CHECK(device.diagnosis().empty());
  CHECK(device.received_at() == moment(3s));
}
