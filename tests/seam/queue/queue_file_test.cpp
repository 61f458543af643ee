// A queue's files from outside: looking, verifying, salvage, export and import, purge.
#include "offline_queue/queue_file.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>

#include "seam/queue/queue_files.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;
namespace fs = std::filesystem;

namespace {

/// Names and contents of everything in a folder.
std::map<std::string, std::string> snapshot(const std::string& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::directory_iterator(folder)) {
    all[entry.path().filename().string()] = read_file(entry.path().string());
  }
  return all;
}

QueuePlaces places_of(const QueuePlace& place) {
  return {place.store(), place.tail()};
}

/// As a killed gateway leaves it: 1 to 20 in the store, 21 to 25 in the tail, 3 and 22 dead-lettered, 1, 2 and 21
/// acknowledged. Made by a child that is killed, so that a WAL file remains.
void make_killed(const QueuePlace& place) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto opened = open_queue(place.options, at(0s), kBoot);
    if (!opened) ::_exit(3);
    Queue& queue = **opened;
    for (std::uint64_t n = 1; n <= 20; ++n) queue.accept(a_record(n, at(0s)), at(0s));
    if (!queue.persist(at(1s), false)) ::_exit(4);
    all_of(queue, at(1s));
    queue.dead_letter(3, "0x99 payload format invalid", false);
    if (!queue.persist(at(1s), false)) ::_exit(4);
    for (std::uint64_t n = 21; n <= 25; ++n) queue.accept(a_record(n, at(2s)), at(2s));
    all_of(queue, at(2s));
    queue.dead_letter(22, "0x87 not authorised", true);
    for (const Seq seq : {1, 2, 21}) queue.acknowledge(seq);
    queue.flush(at(2s));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
}

std::vector<QueueEntry> list_all(QueueView& view, std::size_t page_size) {
  std::vector<QueueEntry> all;
  std::optional<PageMark> from = PageMark{};
  while (from) {
    auto page = view.list(*from, page_size);
    REQUIRE(page);
    REQUIRE(page->entries.size() <= page_size);
    for (auto& entry : page->entries) all.push_back(std::move(entry));
    from = page->next;
  }
  return all;
}

}  // namespace

TEST_CASE("reading a queue shows all records, changes nothing and creates no file") {
  QueuePlace place;
  make_killed(place);
  REQUIRE(fs::file_size(place.store() + "-wal") > 0);
  const auto state = snapshot(place.state.path());
  const auto runtime = snapshot(place.runtime.path());
  {
    auto view = QueueView::open(places_of(place));
    REQUIRE(view);
    const QueueReport report = (*view)->report();
    CHECK(report.counters.accepted == 25);
    CHECK(report.counters.acknowledged == 3);
    CHECK(report.counters.dead_lettered == 2);
    CHECK(report.counters.queued == 20);
    CHECK(report.counters.balanced());
    CHECK(report.last_seq == 25);
    CHECK(report.queue_id.size() == 32);
    const auto all = list_all(**view, GENERATE(1, 7, 100));
    REQUIRE(all.size() == 22);
    CHECK(all.front().record.seq == 4);
    CHECK(all.front().where == Where::store);
    CHECK(all[19].record.seq == 25);
    CHECK(all[19].where == Where::tail);
    CHECK(all[20].record.seq == 3);
    CHECK(all[20].where == Where::dead_lettered);
    CHECK(all[20].why == "0x99 payload format invalid");
    CHECK(all[21].record.seq == 22);
    CHECK(all[21].retry);
    for (const auto& entry : all) {
      CHECK(is_intact(entry.record));
      CHECK(entry.size_bytes > 50);
    }
    const auto verified = verify_queue(places_of(place));
    REQUIRE(verified);
    CHECK(verified->whole());
    CHECK(verified->records == 24);  // also those that are only noted as acknowledged
  }
  CHECK(snapshot(place.state.path()) == state);
  CHECK(snapshot(place.runtime.path()) == runtime);
  // The gateway continues as before.
  auto queue = place.open(at(3s));
  CHECK(queue->counters().queued == 20);
  CHECK(queue->accept(a_record(26, at(3s)), at(3s)) == 26);
}

TEST_CASE("the store's file alone, read-only, from another machine") {
  QueuePlace place;
  make_killed(place);
  TempDir card;
  fs::copy_file(place.store(), card.file("queue.db"));
  const bool with_wal = GENERATE(true, false);
  if (with_wal) {
    fs::copy_file(place.store() + "-wal", card.file("queue.db-wal"));
  } else {
    QueuePlace clean;
    auto queue = clean.open(at(0s));
    for (std::uint64_t n = 1; n <= 20; ++n) queue->accept(a_record(n, at(0s)), at(0s));
    REQUIRE(queue->persist(at(0s), true));
    queue.reset();
    fs::copy_file(clean.store(), card.file("queue.db"), fs::copy_options::overwrite_existing);
  }
  for (const auto& entry : fs::directory_iterator(card.path())) fs::permissions(entry.path(), fs::perms::owner_read);
  fs::permissions(card.path(), fs::perms::owner_read | fs::perms::owner_exec);
  const auto before = snapshot(card.path());
  {
    auto view = QueueView::open({card.file("queue.db"), ""});
    REQUIRE(view);
    CHECK(list_all(**view, 100).size() == 20);
    CHECK(verify_queue({card.file("queue.db"), ""})->whole());
  }
  CHECK(snapshot(card.path()) == before);
  fs::permissions(card.path(), fs::perms::owner_all);
}

TEST_CASE("while a service holds the queue its files are not touched, and the message contains the remedy") {
  QueuePlace place;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t service = ::fork();
  REQUIRE(service >= 0);
  if (service == 0) {
    auto opened = open_queue(place.options, at(0s), kBoot);
    if (opened) static_cast<void>(!::write(ready[1], "x", 1));
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  const auto view = QueueView::open(places_of(place));
  const auto verified = verify_queue(places_of(place));
  const auto opened = open_queue_file(places_of(place), at(0s), kBoot);
  ::kill(service, SIGKILL);
  ::waitpid(service, nullptr, 0);
  for (const int end : ready) ::close(end);
  REQUIRE_FALSE(view);
  CHECK(view.error().kind == Fault::closed);
  CHECK_THAT(view.error().what, ContainsSubstring("process " + std::to_string(service)) && ContainsSubstring("socket"));
  REQUIRE_FALSE(verified);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == Fault::closed);
}

TEST_CASE("files that are not a queue are refused with a reason") {
  TempDir folder;
  CHECK_THAT(QueueView::open({folder.file("queue.db"), ""}).error().what, ContainsSubstring("no such file"));
  std::ofstream(folder.file("text")) << std::string(10000, 'x');
  CHECK(QueueView::open({folder.file("text"), ""}).error().kind == Fault::protocol);
  std::ofstream(folder.file("empty")) << "";
  CHECK(QueueView::open({folder.file("empty"), ""}).error().kind == Fault::protocol);
  CHECK(fs::file_size(folder.file("empty")) == 0);
  const auto verified = verify_queue({folder.file("text"), ""});
  REQUIRE(verified);
  CHECK_FALSE(verified->whole());
}

TEST_CASE("a file that is not a queue, or is damaged, is not opened for changes and stays as it is") {
  const TempDir folder;
  const std::string path = folder.file("queue.db");
  const std::string text = GENERATE(as<std::string>{}, "hello\n", "", "SQLite format 3");
  std::ofstream(path) << text;
  const auto before = snapshot(folder.path());
  CHECK_FALSE(open_queue_file({path, ""}, at(0s), kBoot));
  CHECK(snapshot(folder.path()) == before);
}

TEST_CASE("records purged without a service are reported when the service runs") {
  QueuePlace place;
  make_killed(place);
  {
    auto opened = open_queue_file(places_of(place), at(10s), kBoot);
    REQUIRE(opened);
    const auto purged = (*opened)->purge({}, 1000, at(10s));
    REQUIRE(purged);
    CHECK(purged->records == 22);
    CHECK(purged->finished);
    REQUIRE((*opened)->persist(at(10s), true));
    CHECK((*opened)->counters().queued == 0);
    CHECK((*opened)->counters().dropped == 22);
    CHECK((*opened)->counters().balanced());
  }
  auto service = place.open(at(20s));
  REQUIRE(service->persist(at(20s), false));
  const auto events = events_of(all_of(*service, at(20s)), "dropped");
  REQUIRE(events.size() == 1);
  CHECK(detail(events[0], "count") == "22");
  CHECK(detail(events[0], "first_seq") == "3");
  CHECK(detail(events[0], "last_seq") == "25");
}

TEST_CASE("verify finds a record that was changed, and does not touch it") {
  QueuePlace place;
  {
    auto queue = place.open(at(0s));
    for (std::uint64_t n = 1; n <= 50; ++n) queue->accept(a_record(n, at(0s), 100), at(0s));
    REQUIRE(queue->persist(at(0s), true));
  }
  std::string content = read_file(place.store());
  // Record 3, wherever it lies: a page that was split keeps an old copy.
  const std::string text(100, 'd');
  REQUIRE(content.find(text) != std::string::npos);
  for (auto at = content.find(text); at != std::string::npos; at = content.find(text, at)) content[at + 5] = 'X';
  std::ofstream(place.store(), std::ios::binary | std::ios::trunc) << content;
  const auto report = verify_queue(places_of(place));
  REQUIRE(report);
  REQUIRE(report->damaged > 0);
  CHECK(report->records + report->damaged == 50);
  CHECK_THAT(report->problems.front(), ContainsSubstring("its checksum is wrong"));
  CHECK(read_file(place.store()) == content);
  {
    auto view = QueueView::open(places_of(place));
    REQUIRE(view);
    const auto page = (*view)->list({}, 100);
    REQUIRE(page);
    std::uint64_t damaged = page->damaged_behind;
    for (const auto& entry : page->entries) damaged += entry.damaged_before;
    CHECK(page->entries.size() == report->records);
    CHECK(damaged == report->damaged);
  }
  // The gateway never sends it: it is dropped, counted and reported.
  auto queue = place.open(at(1s));
  CHECK(numbers_of(all_of(*queue, at(1s))).size() == report->records);
  REQUIRE(queue->persist(at(1s), false));
  CHECK(queue->counters().dropped == report->damaged);
  CHECK(queue->counters().balanced());
  CHECK(events_of(all_of(*queue, at(1s)), "damaged").size() == 1);
}

TEST_CASE("salvage writes the readable records of a damaged file to a new one, and does not change the damaged one") {
  QueuePlace place;
  make_killed(place);
  TempDir folder;
  std::string content = read_file(place.store());
  const bool headless = GENERATE(false, true);
  std::string wal = read_file(place.store() + "-wal");
  if (headless) {
    content.replace(0, 4096, 4096, 'x');
    wal.replace(0, 32, 32, 'x');
  }
  std::ofstream(folder.file("damaged.db"), std::ios::binary) << content;
  std::ofstream(folder.file("damaged.db-wal"), std::ios::binary) << wal;
  const auto before = snapshot(folder.path());
  const auto report = salvage_queue(folder.file("damaged.db"), folder.file("fresh.db"));
  REQUIRE(report);
  CHECK(report->records + report->dead_lettered >= 20);
  CHECK(report->structure_lost == headless);
  auto after = snapshot(folder.path());
  after.erase("fresh.db");
  after.erase("fresh.db-wal");
  CHECK(after == before);
  {
    auto view = QueueView::open({folder.file("fresh.db"), ""});
    REQUIRE(view);
    for (const auto& entry : list_all(**view, 100)) CHECK(is_intact(entry.record));
    CHECK((*view)->report().counters.balanced());
  }
  CHECK_FALSE(salvage_queue(folder.file("damaged.db"), folder.file("fresh.db")));
  CHECK_FALSE(salvage_queue(folder.file("nothing.db"), folder.file("other.db")));
}

TEST_CASE(
    "records that were exported and purged are imported with their own numbers; in another queue they get new ones") {
  QueuePlace place;
  make_killed(place);
  std::vector<std::string> lines;
  {
    auto view = QueueView::open(places_of(place));
    REQUIRE(view);
    for (const auto& entry : list_all(**view, 100)) lines.push_back(export_line(entry, (*view)->report().queue_id));
  }
  const auto parsed = [&] {
    std::vector<ImportRecord> records;
    for (const auto& line : lines) {
      auto record = parse_export_line(line);
      REQUIRE(record);
      records.push_back(std::move(*record));
    }
    return records;
  };
  auto opened = open_queue_file(places_of(place), at(10s), kBoot);
  REQUIRE(opened);
  Queue& queue = **opened;
  auto imported = queue.import(parsed(), at(10s));
  REQUIRE(imported);
  CHECK(imported->present == 22);
  std::uint64_t purged = 0;
  for (bool more = true; more;) {
    const auto report = queue.purge({}, 5, at(10s));
    REQUIRE(report);
    purged += report->records;
    more = !report->finished;
    REQUIRE(queue.counters().balanced());
  }
  CHECK(purged == 22);
  CHECK(queue.counters().queued + queue.counters().dead_lettered == 0);
  CHECK(queue.next(Lane::fifo, at(10s)) == nullptr);
  imported = queue.import(parsed(), at(11s));
  REQUIRE(imported);
  CHECK(imported->imported == 22);
  CHECK(queue.counters().dead_lettered == 2);
  CHECK(queue.counters().balanced());
  const auto back = all_of(queue, at(11s));
  REQUIRE(back.size() == 20);
  CHECK(back.front().seq == 4);
  CHECK(back.back().seq == 25);
  CHECK(queue.accept(a_record(100, at(11s)), at(11s)) > 25);
  REQUIRE(queue.persist(at(12s), true));

  QueuePlace other;
  auto elsewhere = other.open(at(0s));
  elsewhere->accept(a_record(1000, at(0s)), at(0s));
  imported = elsewhere->import(parsed(), at(1s));
  REQUIRE(imported);
  CHECK(imported->renumbered == 22);
  CHECK(elsewhere->counters().dead_lettered == 2);
  const auto theirs = all_of(*elsewhere, at(1s));
  REQUIRE(theirs.size() == 21);
  CHECK(theirs[1].seq == 2);
  CHECK(number_of(theirs[1]) == std::optional<std::uint64_t>(4));
  for (const auto& record : theirs) CHECK(is_intact(record));
}

TEST_CASE("a purge of old records, of dead letters only, and of records in flight") {
  QueuePlace place;
  auto queue = place.open(at(0s));
  for (std::uint64_t n = 1; n <= 100; ++n) queue->accept(a_record(n, at(n * 1s)), at(n * 1s));
  REQUIRE(queue->persist(at(100s), true));
  const auto out = all_of(*queue, at(100s));
  queue->dead_letter(5, "x", false);
  queue->dead_letter(99, "x", false);
  PurgeOrder order;
  order.queued = false;
  order.older_than = 50s;
  CHECK(queue->purge(order, 1000, at(101s))->records == 1);
  order.queued = true;
  CHECK(queue->purge(order, 1000, at(101s))->records == 49);
  CHECK(queue->counters().queued == 49);
  CHECK(queue->counters().dead_lettered == 1);
  for (const auto& record : out) queue->acknowledge(record.seq);  // late acknowledgements of purged ones
  CHECK(queue->counters().queued == 0);
  CHECK(queue->counters().balanced());
  REQUIRE(queue->persist(at(105s), true));
  CHECK(queue->counters().acknowledged == 49);
  CHECK(queue->counters().dropped == 50);
  queue->rewind();
  std::uint64_t reported = 0;
  for (const Record& event : events_of(all_of(*queue, at(106s)), "dropped")) {
    CHECK_THAT(detail(event, "why"), ContainsSubstring("queue purge"));
    reported += std::stoull(detail(event, "count"));
  }
  CHECK(reported == 50);
}
