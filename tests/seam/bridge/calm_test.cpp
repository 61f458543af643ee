// How the uplink's thread may wait: what comes one after the other is handled together.
#include "support/bridge/uplink_rig.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

constexpr Duration kTogether = 5ms;

UplinkRig& connected(UplinkRig& rig) {
  rig.options.together = kTogether;
  rig.options.broker.max_in_flight = 20;
  rig.start_connected();
  rig.transport.acknowledge_all();
  rig.turn();
  return rig;
}

}  // namespace

TEST_CASE("what comes when nothing is under way is handled at once") {
  UplinkRig rig;
  CHECK(connected(rig).uplink().calm(rig.moment(), false).signals == 0);
}

TEST_CASE("while records come one after the other, they and their acknowledgements gather for a moment") {
  UplinkRig rig;
  connected(rig).samples(3);
  for (const bool accepted : {false, true}) {
    const Calm calm = rig.uplink().calm(rig.moment(), accepted);
    CHECK(calm.signals > 1'000'000);
    CHECK(calm.until == rig.moment().steady + kTogether);
  }
}

TEST_CASE("a full window waits only until a part of it has been acknowledged") {
  UplinkRig rig;
  connected(rig).samples(100);
  CHECK(rig.transport.most_out == 20);
  CHECK(rig.uplink().calm(rig.moment(), true).signals == 5);
}

TEST_CASE("while the link is down records gather, too; at a stop nothing waits") {
  UplinkRig rig;
  connected(rig).transport.drop();
  rig.turn();
  rig.samples(1);
  CHECK(rig.uplink().calm(rig.moment(), true).signals > 0);
  rig.uplink().begin_stop(rig.moment());
  CHECK(rig.uplink().calm(rig.moment(), true).signals == 0);
}
