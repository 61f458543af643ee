#include "adapters/exec/record_gatherer.h"

#include "adapters/exec/error_lines.h"
#include "support/catch.h"
#include "support/moments.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

Steady when(Duration since) {
  return at(since).steady;
}

std::vector<std::string> points(const std::optional<RecordGatherer::Gathered>& gathered) {
  std::vector<std::string> names;
  if (gathered) {
    for (const auto& fact : gathered->facts) names.push_back(fact.point);
  }
  return names;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("lines without a pause between them are one record, with the time of the last") {
  RecordGatherer gatherer({"room"});
  gatherer.take("reading a 1\nreading b 2\n", when(1s));
  gatherer.take("fault c broken\n", when(1010ms));
  REQUIRE_FALSE(gatherer.has(0));
  REQUIRE(gatherer.pause_at() == when(1030ms));
  gatherer.pause();
  REQUIRE_FALSE(gatherer.pause_at());
  const auto record = gatherer.next(0);
  REQUIRE(points(record) == Words{"a", "b", "c"});
  REQUIRE(record->at == when(1010ms));
  REQUIRE_FALSE(gatherer.next(0));
}

TEST_CASE("bytes may be cut anywhere") {
  const std::string text =
      "reading a 1 \xc2\xb0"
      "C\r\n# x\nreading b \"x y\"\nfault c off\n\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    for (std::size_t second = cut; second <= text.size(); ++second) {
      RecordGatherer gatherer({"room"});
      gatherer.take(std::string_view(text).substr(0, cut), when(1s));
      gatherer.take(std::string_view(text).substr(cut, second - cut), when(1s));
      gatherer.take(std::string_view(text).substr(second), when(1s));
      REQUIRE(points(gatherer.next(0)) == Words{"a", "b", "c"});
      REQUIRE(gatherer.malformed() == 0);
    }
  }
}

TEST_CASE("a blank line, ready, and a point that comes again end a record") {
  RecordGatherer gatherer({"room"});
  gatherer.take("reading a 1\n\nreading b 1\nready\nreading c 1\nreading d 1\nreading c 2\n", when(1s));
  REQUIRE(points(gatherer.next(0)) == Words{"a"});
  REQUIRE(points(gatherer.next(0)) == Words{"b"});
  REQUIRE(points(gatherer.next(0)) == Words{"c", "d"});
  REQUIRE_FALSE(gatherer.has_any());
  gatherer.pause();
  REQUIRE(points(gatherer.next(0)) == Words{"c"});
  REQUIRE(gatherer.ready());
}

TEST_CASE("a record does not grow without bound") {
  RecordGatherer gatherer({"room"});
  std::string text;
  for (int i = 0; i < 2500; ++i) text += "reading p" + std::to_string(i) + " 1\n";
  gatherer.take(text, when(1s));
  REQUIRE(points(gatherer.next(0)).size() == RecordGatherer::kMostFacts);
  REQUIRE(points(gatherer.next(0)).size() == RecordGatherer::kMostFacts);
  gatherer.pause();
  REQUIRE(points(gatherer.next(0)).size() == 500);
}

TEST_CASE("the devices of a bus have their own records") {
  RecordGatherer gatherer({"room", "cellar"});
  gatherer.take("reading room/t 1\nreading cellar/t 2\nreading room/h 3\n", when(1s));
  gatherer.pause();
  REQUIRE(points(gatherer.next(0)) == Words{"t", "h"});
  REQUIRE(points(gatherer.next(1)) == Words{"t"});
}

TEST_CASE("with several devices a line must name one, and only one that there is") {
  RecordGatherer gatherer({"room", "cellar"});
  gatherer.take("reading t 1\nreading attic/t 1\n", when(1s));
  gatherer.pause();
  REQUIRE_FALSE(gatherer.has_any());
  REQUIRE(gatherer.malformed() == 2);
  REQUIRE_THAT(gatherer.last_malformed(), ContainsSubstring("no device 'attic'"));
}

TEST_CASE("the only device need not be named, but may be") {
  RecordGatherer gatherer({"room"});
  gatherer.take("reading t 1\nreading room/h 1\n", when(1s));
  gatherer.pause();
  REQUIRE(points(gatherer.next(0)) == Words{"t", "h"});
}

TEST_CASE("a fault of * is a device that does not respond") {
  RecordGatherer gatherer({"room"});
  gatherer.take("reading t 1\nfault * timeout: gone since noon\nreading h 1\n\n", when(1s));
  REQUIRE(points(gatherer.next(0)) == Words{"t"});
  const auto silence = gatherer.next(0);
  REQUIRE(silence->silence);
  REQUIRE(silence->silence->kind == Fault::timeout);
  REQUIRE(silence->facts.empty());
  REQUIRE(points(gatherer.next(0)) == Words{"h"});
}

TEST_CASE("a line that is not understood is counted and never a value") {
  RecordGatherer gatherer({"room"});
  gatherer.take("reading a 1\nboo\nreading b nan\nreading c 2\n\n", when(1s));
  REQUIRE(gatherer.malformed() == 2);
  REQUIRE_THAT(gatherer.last_malformed(), ContainsSubstring("'reading b nan': 'nan' is no value"));
  REQUIRE(points(gatherer.next(0)) == Words{"a", "c"});
}

TEST_CASE("a line that is too long is skipped to its end, however it comes, and takes no memory") {
  RecordGatherer gatherer({"room"});
  gatherer.take("reading a \"", when(1s));
  for (int i = 0; i < 100; ++i) gatherer.take(std::string(10000, 'x'), when(1s));
  gatherer.take("\"\nreading b 1\n\n", when(1s));
  REQUIRE(gatherer.malformed() == 1);
  REQUIRE(points(gatherer.next(0)) == Words{"b"});
  gatherer.take(std::string(100000, 'y') + "\nreading c 1\n\n", when(2s));
  REQUIRE(gatherer.malformed() == 2);
  REQUIRE(points(gatherer.next(0)) == Words{"c"});
  REQUIRE(gatherer.last_malformed().size() < 200);
}

TEST_CASE("an incomplete line at the end is ignored") {
  RecordGatherer gatherer({"room"});
  gatherer.take("reading a 1\nreading b 1", when(1s));
  gatherer.end();
  REQUIRE(points(gatherer.next(0)) == Words{"a"});
  gatherer.take("2\n", when(2s));
  REQUIRE_FALSE(gatherer.has_any());
}

TEST_CASE("error lines are logged at a bounded rate, and what was left out is counted") {
  ErrorLines lines("bus");
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += "line " + std::to_string(i) + "\n";
  REQUIRE(lines.lines(flood, when(1s)).size() == 20);
  REQUIRE(lines.lines("again\n", when(2s)).empty());
  const auto later = lines.lines("later\n", when(60s));
  REQUIRE(later == Words{"later (before it 981 lines were left out)"});
  REQUIRE(lines.lines("next\r\n\nlast", when(61s)) == Words{"next"});
}

TEST_CASE("an error line is cut where it gets too long, and a half one waits for its end") {
  ErrorLines lines("bus");
  REQUIRE(lines.lines("half", when(1s)).empty());
  REQUIRE(lines.lines(" a line\n", when(1s)) == Words{"half a line"});
  std::vector<std::string> got;
  for (int i = 0; i < 100; ++i) REQUIRE(lines.lines(std::string(1000, 'x'), when(1s)).empty());
  got = lines.lines("\n", when(1s));
  REQUIRE(got.size() == 1);
  REQUIRE(got[0].size() == ErrorLines::kMostBytes);
}
