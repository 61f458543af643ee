#include "offline_queue/losses.h"

#include "offline_queue/record_codec.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

TEST_CASE("losses of one kind are reported at once, then together once a minute") {
  Losses losses;
  losses.add({"dropped", "full", 1, 5, 5});
  CHECK(losses.due() == Steady::min());
  const auto first = losses.take_due(at(0s), false);
  REQUIRE(first.size() == 1);
  losses.reported_as(first[0], 6);  // and it stays in the queue
  CHECK(losses.empty());
  losses.add({"dropped", "full", 2, 6, 7});
  losses.add({"dropped", "full", 1, 8, 8});
  losses.add({"dropped", "old", 1, 9, 9});
  const auto now = losses.take_due(at(1s), false);
  REQUIRE(now.size() == 1);
  CHECK(now[0].why == "old");
  CHECK(losses.due() == at(60s).steady);
  const auto later = losses.take_due(at(60s), false);
  REQUIRE(later.size() == 1);
  CHECK(later[0].count == 3);
  CHECK(later[0].first == 6);
  CHECK(later[0].last == 8);
}

TEST_CASE("after the event of the last losses has left the queue, the next may follow after ten seconds") {
  Losses losses;
  losses.add({"dropped", "full", 1, 5, 5});
  losses.reported_as(losses.take_due(at(0s), false).front(), 6);
  losses.add({"dropped", "full", 1, 7, 7});
  losses.event_removed(5);
  CHECK(losses.due() == at(60s).steady);
  SECTION("it was delivered") {
    losses.event_removed(6);
  }
  SECTION("it was dropped itself") {
    Losses transaction;
    std::string body;
    encode_record(loss_event({"dropped", "full", 1, 5, 5}, taken_at(at(0s), kBoot)), body);
    transaction.report_again(6, body);
    losses.merge(transaction);
  }
  CHECK(losses.due() == at(10s).steady);
}

TEST_CASE("a clean stop reports all losses") {
  Losses losses;
  losses.add({"dropped", "full", 1, 5, 5});
  losses.take_due(at(0s), false);
  losses.add({"dropped", "full", 1, 6, 6});
  CHECK(losses.take_due(at(1s), true).size() == 1);
}

TEST_CASE("unreported losses are decoded from their stored form, and truncated bytes add nothing wrong") {
  Losses losses;
  losses.add({"dropped", "full", 3, 5, 9});
  losses.add({"damaged", "queue.db", 0, 0, 0});
  const std::string stored = losses.encode();
  Losses back;
  back.decode(stored);
  CHECK(back.encode() == stored);
  Losses cut;
  cut.decode(std::string_view(stored).substr(0, stored.size() - 1));
  CHECK(cut.take_due(at(0s), true).size() == 1);
}

TEST_CASE("an event contains count, numbers and reason") {
  const Record event = loss_event({"dropped", "max_age is reached", 3, 5, 9}, taken_at(at(0s), kBoot));
  CHECK(event.device == kBridgeDevice);
  CHECK(event_word(event) == "dropped");
  CHECK(detail(event, "count") == "3");
  CHECK(detail(event, "first_seq") == "5");
  CHECK(detail(event, "last_seq") == "9");
  CHECK(detail(event, "why") == "max_age is reached");
}
