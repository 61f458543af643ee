// Wake-up coalescing: records that come one after the other share one wake-up of the uplink's thread.
#include "support/bridge/uplink_rig.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

constexpr Duration kCoalesce = 5ms;

UplinkRig& connected(UplinkRig& rig) {
  rig.options.coalesce = kCoalesce;
  rig.options.broker.max_in_flight = 20;
  rig.start_connected();
  rig.transport.acknowledge_all();
  rig.turn();
  return rig;
}

}  // namespace

TEST_CASE("an event that comes while nothing is in flight is handled at once") {
  UplinkRig rig;
  CHECK(connected(rig).uplink().coalesce_window(rig.moment(), false).until == Steady::min());
}

TEST_CASE("while records come one after the other, they and their acknowledgements share wake-ups") {
  UplinkRig rig;
  connected(rig).samples(3);
  for (const bool accepted : {false, true}) {
    CHECK(rig.uplink().coalesce_window(rig.moment(), accepted).until == rig.moment().steady + kCoalesce);
  }
}

TEST_CASE("a full in-flight window has a coalesce window of the shortest time for its acknowledgements") {
  UplinkRig rig;
  connected(rig).samples(100);
  CHECK(rig.transport.most_in_flight == 20);
  CHECK(rig.uplink().coalesce_window(rig.moment(), true).until == rig.moment().steady + 200us);
}

TEST_CASE("while disconnected records share wake-ups, too; during a stop and while connecting nothing waits") {
  UplinkRig rig;
  connected(rig).transport.drop();
  rig.turn();
  rig.samples(1);
  CHECK(rig.uplink().coalesce_window(rig.moment(), true).until == rig.moment().steady + kCoalesce);
  SECTION("at a stop") {
    rig.uplink().begin_stop(rig.moment());
  }
  SECTION("while connecting") {
    for (int i = 0; i < 1000 && !rig.transport.attempting(); ++i) rig.pass(100ms);
    REQUIRE(rig.transport.attempting());
  }
  CHECK(rig.uplink().coalesce_window(rig.moment(), true).until == Steady::min());
}
