#include <limits>

#include "offline_queue/queue_file.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {
QueueEntry an_entry() {
  QueueEntry entry;
  entry.record = a_record(12, at(0s));
  entry.record.seq = 77;
  entry.record.readings.push_back({"big", Value{std::numeric_limits<std::uint64_t>::max()}});
  entry.record.readings.push_back({"bytes", Value{std::string("\xFF\x00z", 3)}});
  entry.where = Where::dead_lettered;
  entry.why = "0x99 payload format invalid";
  entry.retry = true;
  return entry;
}
}  // namespace

TEST_CASE("an exported line is readable JSON and comes back exactly") {
  const QueueEntry entry = an_entry();
  const std::string line = export_line(entry, "00112233445566778899aabbccddeeff");
  CHECK(line.find('\n') == std::string::npos);
  CHECK_THAT(line, ContainsSubstring(R"("seq":77,"device":"meter-5")"));
  CHECK_THAT(line, ContainsSubstring(R"("big":18446744073709551615)"));
  CHECK_THAT(line, ContainsSubstring(R"("pump":"timeout")"));
  const auto back = parse_export_line(line);
  REQUIRE(back);
  CHECK(back->record == entry.record);
  CHECK(back->queue_id == "00112233445566778899aabbccddeeff");
  CHECK(back->dead_lettered);
  CHECK(back->why == entry.why);
  CHECK(back->retry);
}

TEST_CASE("a line that was changed is refused, with a reason") {
  const std::string line = export_line(an_entry(), "q");
  std::string other = line;
  other.replace(other.find("77"), 2, "78");
  CHECK_THAT(parse_export_line(other).error().what, ContainsSubstring("checksum"));
  other = line;
  const auto record = other.find("\"record\":\"") + 12;
  other[record] = other[record] == 'A' ? 'B' : 'A';
  CHECK_FALSE(parse_export_line(other));
  CHECK_THAT(parse_export_line("hello").error().what, ContainsSubstring("JSON"));
  CHECK_THAT(parse_export_line("{}").error().what, ContainsSubstring("seq"));
  for (std::size_t size = 0; size < line.size(); ++size) CHECK_FALSE(parse_export_line(line.substr(0, size)));
}
