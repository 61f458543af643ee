// A real process on real files, killed with SIGKILL at random moments; what it had reported must hold.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "core/unique_fd.h"
#include "support/figure.h"
#include "support/queue/crash_vfs.h"
#include "support/queue/queue_kit.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

/// The life of the child: it reports through the pipe what flush() has promised.
/// The kernel does it, in the middle of whatever this process does then.
void kill_me_in(std::chrono::microseconds delay) {
  sigevent kill{};
  kill.sigev_notify = SIGEV_SIGNAL;
  kill.sigev_signo = SIGKILL;
  timer_t timer{};
  const itimerspec once{{}, {0, static_cast<long>(std::chrono::nanoseconds(delay).count()) + 1}};  // 0 would be never
  if (::timer_create(CLOCK_MONOTONIC, &kill, &timer) != 0 || ::timer_settime(timer, 0, &once, nullptr) != 0) ::_exit(4);
}

[[noreturn]] void live(const QueueOptions& options, std::uint64_t seed, std::uint64_t first_content, int report) {
  Dice dice(seed);
  Duration clock{};
  auto opened = open_queue(options, at(clock), kBoot);
  if (!opened) ::_exit(3);
  Queue& queue = **opened;
  std::uint64_t content = first_content;
  std::vector<Seq> out;
  for (;;) {
    clock += std::chrono::milliseconds(dice.below(120));
    std::string lines;
    for (auto count = dice.below(6); count > 0; --count) {
      ++content;
      const Seq seq = queue.accept(a_record(content, at(clock), dice.below(300)), at(clock));
      lines += "A " + std::to_string(seq) + " " + std::to_string(content) + "\n";
    }
    queue.flush(at(clock));
    if (::write(report, lines.data(), lines.size()) < 0) ::_exit(4);
    if (queue.persist_due() <= at(clock).steady && !queue.persist(at(clock), false)) ::_exit(5);
    while (const Record* record = queue.next(Lane::fifo, at(clock))) out.push_back(record->seq);
    std::string intention;
    lines.clear();
    std::vector<Seq> kept;
    for (const Seq seq : out) {
      if (dice.one_in(3)) {
        kept.push_back(seq);
        continue;
      }
      intention += "I " + std::to_string(seq) + "\n";
      lines += "S " + std::to_string(seq) + "\n";
    }
    if (::write(report, intention.data(), intention.size()) < 0) ::_exit(4);
    for (const Seq seq : out) {
      if (std::find(kept.begin(), kept.end(), seq) == kept.end()) queue.acknowledge(seq);
    }
    out = kept;
    queue.flush(at(clock));
    if (::write(report, lines.data(), lines.size()) < 0) ::_exit(4);
    if (!queue.counters().balanced()) ::_exit(6);
  }
}

struct Truth {
  std::map<Seq, std::uint64_t> accepted;
  std::set<Seq> acknowledged;
  std::set<Seq> intended;  ///< acknowledgement started: may be gone

  /// The last line may be cut by the kill.
  void read(int pipe) {
    std::string all;
    char chunk[4096];
    for (ssize_t n = 0; (n = ::read(pipe, chunk, sizeof chunk)) > 0;) all.append(chunk, static_cast<std::size_t>(n));
    all.resize(all.rfind('\n') == std::string::npos ? 0 : all.rfind('\n') + 1);
    std::istringstream lines(all);
    for (std::string word; lines >> word;) {
      Seq seq = 0;
      lines >> seq;
      if (word == "S") {
        acknowledged.insert(seq);
      } else if (word == "I") {
        intended.insert(seq);
      } else {
        lines >> accepted[seq];
      }
    }
  }
};

void check(QueuePlace& place, const Truth& truth) {
  auto queue = place.open(at(0s));
  std::map<Seq, std::uint64_t> there;
  Seq last = 0;
  const auto page = queue->list({}, 1'000'000);
  REQUIRE(page);
  for (const auto& entry : page->entries) {
    REQUIRE(is_intact(entry.record));
    REQUIRE(entry.record.seq > last);
    last = entry.record.seq;
    if (const auto n = number_of(entry.record)) there[entry.record.seq] = *n;
  }
  for (const auto& [seq, content] : truth.accepted) {
    const auto found = there.find(seq);
    if (truth.acknowledged.contains(seq)) {
      if (found != there.end()) FAIL("record " << seq << " was acknowledged, and is there again");
    } else if (found != there.end()) {
      if (found->second != content) FAIL("record " << seq << " is another one");
    } else if (!truth.intended.contains(seq)) {
      FAIL("record " << seq << " is lost");
    }
  }
}

}  // namespace

TEST_CASE("a kill between a write and its sync, then a start, then a power cut: nothing is lost (24)") {
  std::uint64_t kills = 0;
  for (bool killed = true; killed; ++kills) {
    QueuePlace place;
    CrashDisk disk(kills);
    place.options.vfs = disk.vfs();
    const std::string tail_then = place.state.file("tail-then");
    auto queue = place.open(at(0s));
    for (std::uint64_t n = 1; n <= 20; ++n) queue->accept(a_record(n, at(0s)), at(0s));
    queue->flush(at(0s));
    disk.at_death([&] { std::filesystem::copy_file(place.tail(), tail_then); });
    disk.lose_power_at(kills + 1);
    static_cast<void>(queue->persist(at(1s), false));
    killed = disk.dead();
    disk.lose_power();
    queue.reset();
    if (killed) std::filesystem::rename(tail_then, place.tail());
    disk.forget();
    queue = place.open(at(2s));
    CHECK(queue->counters().queued == 20);
    if (queue->persist_due() <= at(3s).steady) REQUIRE(queue->persist(at(3s), false));
    disk.lose_power();
    queue.reset();
    std::filesystem::remove(place.tail());
    disk.restart();
    INFO("operation " << kills + 1);
    auto again = place.open(at(4s));
    CHECK(numbers_of(all_of(*again, at(4s))).size() == 20);
    CHECK(again->counters().balanced());
  }
  CHECK(kills > 3);
  figure("24", kills, " kills in the middle of a transaction, a start, a power cut: 0 of 20 records lost");
}

TEST_CASE(
    "kill -9 at random moments: what was accepted is there, what was acknowledged is not, in order, no number twice "
    "(24)") {
  const std::uint64_t kills = seed_count(60);
  QueuePlace place;
  place.options.number_block = 1000;
  if (GENERATE(false, true)) place.options.config.durability = Durability::strict;
  Truth truth;
  Dice dice(seeds_first());
  std::uint64_t contents = 0;
  for (std::uint64_t i = 0; i < kills; ++i) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const auto delay = std::chrono::microseconds(dice.below(30'000));
    const std::uint64_t seed = dice.next();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      kill_me_in(delay);
      live(place.options, seed, contents, write_end.get());
    }
    write_end.reset();
    truth.read(read_end.get());
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    for (const auto& [seq, content] : truth.accepted) contents = std::max(contents, content);
    contents += 100;
    check(place, truth);
  }
  const RecordCounters counters = place.open(at(0s))->counters();
  CHECK(counters.balanced());
  CHECK(counters.dropped == 0);
  figure("24", kills, " kills, seed ", seeds_first(), ": accepted ", counters.accepted, " = acknowledged ",
         counters.acknowledged, " + queued ", counters.queued, "; 0 lost, 0 back after they were acknowledged");
}
