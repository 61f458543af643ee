#include "support/queue/scenario.h"

#include <cstdlib>
#include <filesystem>

namespace baudbridge::testing {
namespace {

constexpr Seq kClockNumbers = 1'000'000'000'000;
/// A machine needs at least this long after a power cut.
constexpr Duration kRestart = 1s;

}  // namespace

Scenario::Scenario(std::uint64_t seed, ScenarioPlan plan) : dice_(seed), plan_(plan), disk_(seed ^ 0x5bd1e995) {
  QueueConfig config;
  config.state_dir = state_.path();
  config.runtime_dir = runtime_.path();
  config.durability = dice_.one_in(2) ? Durability::strict : Durability::bounded;
  config.commit_after = 20ms;
  // A small file is checkpointed after a few frames; it never comes near its cap here.
  if (dice_.one_in(2)) config.max_size_bytes = 2 << 20;
  options_ = queue_options(config);
  options_.vfs = disk_.vfs();
  options_.number_block = 16 + dice_.below(200);
  if (!plan.full_sync) disk_.skip_commit_syncs();
}

std::optional<std::string> Scenario::run() {
  for (int i = 0; i < plan_.lives && !broken_; ++i) live();
  queue_.reset();
  return broken_;
}

void Scenario::live() {
  if (plan_.power_cuts && !dice_.one_in(4)) disk_.lose_power_at(1 + dice_.below(dice_.one_in(2) ? 40 : 400));
  if (plan_.disk_faults) {
    constexpr CrashDisk::Fault kFaults[] = {CrashDisk::Fault::io_error, CrashDisk::Fault::full,
                                            CrashDisk::Fault::short_write};
    disk_.fail_at(1 + dice_.below(120), kFaults[dice_.below(3)], dice_.one_in(3));
  }
  auto opened = open_queue(options_, at(clock_), kBoot);
  if (!opened) return fail("did not start: " + opened.error().what);
  queue_ = std::move(*opened);
  out_.clear();
  retried_.clear();
  last_handed_ = 0;
  check_counters();
  for (int i = 0; i < plan_.actions && !disk_.dead() && !broken_; ++i) {
    if (plan_.disk_faults && dice_.one_in(30)) disk_.heal();
    act();
    check_counters();
  }
  if (!broken_) end_life();
}

void Scenario::act() {
  clock_ += std::chrono::milliseconds(dice_.below(15));
  switch (dice_.below(10)) {
    case 0:
    case 1:
    case 2:
      accept();
      break;
    case 3:
    case 4:
      take();
      break;
    case 5:
    case 6:
      end_some();
      break;
    case 7:
      if (queue_->persist_due() <= at(clock_).steady) persist(false);
      break;
    case 8:
      persist(dice_.one_in(4));
      break;
    default:
      if (dice_.one_in(3)) {
        queue_->rewind();
        out_.clear();
        retried_.clear();
        last_handed_ = 0;
      } else {
        clock_ += 2500ms;
        persist(false);
      }
  }
}

void Scenario::accept() {
  const auto count = 1 + dice_.below(6);
  const std::size_t padding = dice_.one_in(5) ? dice_.below(5000) : dice_.below(200);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto content = ++contents_;
    const Seq seq = queue_->accept(a_record(content, at(clock_), padding), at(clock_));
    if (truth_.contains(seq)) fail("number " + std::to_string(seq) + " was given twice");
    // While the disk does not reserve numbers they come from the clock; lower ones follow when only the disk
    // survives.
    const bool from_clock = seq >= kClockNumbers;
    if (!from_clock && seq <= highest_) {
      fail("number " + std::to_string(seq) + " was given after " + std::to_string(highest_));
    }
    if (!from_clock) highest_ = seq;
    truth_[seq].content = content;
  }
  if (dice_.one_in(4)) return;
  queue_->flush(at(clock_));
  for (auto one = truth_.rbegin(); one != truth_.rend() && !one->second.flushed; ++one) one->second.flushed = true;
}

void Scenario::check_handed_out(const Record& record) {
  if (!is_intact(record)) return fail("record " + std::to_string(record.seq) + " was altered");
  if (record.seq < kClockNumbers) highest_ = std::max(highest_, record.seq);
  if (record.device == kBridgeDevice) return;
  const auto known = truth_.find(record.seq);
  if (known == truth_.end() || known->second.content != *number_of(record)) {
    return fail("record " + std::to_string(record.seq) + " is not the one that had this number (" +
                (known == truth_.end() ? "none had" : std::to_string(known->second.content)) + ", now " +
                std::to_string(*number_of(record)) + ")");
  }
}

void Scenario::take() {
  for (auto count = 1 + dice_.below(8); count > 0; --count) {
    const Record* record = queue_->next(Lane::fifo, at(clock_));
    if (record == nullptr) return;
    check_handed_out(*record);
    const Seq last_handed_out = record->seq;
    // While the store cannot even be read, what is in the tail is published all the same, and the rest comes later.
    if (record->seq <= last_handed_ && retried_.erase(record->seq) == 0 && !plan_.disk_faults) {
      fail("record " + std::to_string(record->seq) + " came after " + std::to_string(last_handed_));
    }
    last_handed_ = std::max(last_handed_, record->seq);
    truth_[record->seq].flushed = true;
    if (!out_.insert(record->seq).second) fail("record " + std::to_string(record->seq) + " was handed out twice");
    // In strict what is handed out is on disk; a disk that does not work is the exception.
    if (options_.config.durability == Durability::strict && queue_->report().durable)
      truth_[record->seq].durable = true;
    if (plan_.early_delete) queue_->acknowledge(last_handed_out);
  }
}

void Scenario::end_some() {
  for (auto seq = out_.begin(); seq != out_.end();) {
    const auto result = dice_.below(6);
    Truth& truth = truth_[*seq];
    if (result < 3) {
      queue_->acknowledge(*seq);
      truth.acknowledged = true;
    } else if (result == 3 && dice_.one_in(3)) {
      queue_->dead_letter(*seq, "0x99 payload format invalid", false);
      truth.dead_lettered = true;
    } else if (result == 4 && dice_.one_in(3)) {
      queue_->retry(*seq);
      retried_.insert(*seq);
    } else {
      ++seq;
      continue;
    }
    seq = out_.erase(seq);
  }
  if (dice_.one_in(3)) return;
  queue_->flush(at(clock_));
  for (auto& [seq, truth] : truth_) {
    truth.flushed = true;
    truth.acknowledged_flushed = truth.acknowledged;
  }
}

void Scenario::persist(bool everything) {
  const auto done = queue_->persist(at(clock_), everything);
  if (disk_.dead()) return;
  if (!done && !plan_.disk_faults) return fail("persist: " + done.error().what);
  for (auto& [seq, truth] : truth_) {
    truth.flushed = true;
    truth.acknowledged_flushed = truth.acknowledged;
  }
  if (!done || queue_->report().in_tail > 0) return;
  for (auto& [seq, truth] : truth_) truth.durable = true;
}

void Scenario::check_counters() {
  const RecordCounters counters = queue_->counters();
  if (!counters.balanced()) {
    fail("the counters do not balance: " + std::to_string(counters.accepted) + " accepted, " +
         std::to_string(counters.acknowledged) + " acknowledged, " + std::to_string(counters.queued) + " queued, " +
         std::to_string(counters.dead_lettered) + " dead-lettered, " + std::to_string(counters.dropped) + " dropped");
  }
}

void Scenario::end_life() {
  // In the middle of an operation it may have been the power, or a kill: what was written is in the page cache then.
  const bool amid = disk_.dead();
  const bool power_lost =
      amid ? !(plan_.kills && dice_.one_in(6)) : plan_.power_cuts && (!plan_.kills || dice_.one_in(2));
  if (!power_lost && !amid && dice_.one_in(4)) persist(true);
  const std::string& where = disk_.power_lost_in();
  ++(power_lost ? ends_.power_cuts : ends_.kills);
  if (power_lost && (where == options_.store_path || where == options_.store_path + ".new")) ++ends_.in_database;
  // A kill: whatever the process would still do does not happen.
  disk_.lose_power();
  queue_.reset();
  if (power_lost) {
    std::error_code ignored;
    std::filesystem::remove(options_.tail_path, ignored);
    disk_.restart();
    clock_ += kRestart;
  } else {
    disk_.forget();
  }
  check_restart(power_lost);
}

void Scenario::check_restart(bool power_lost) {
  auto opened = open_queue(options_, at(clock_), kBoot);
  if (!opened) return fail("did not start again: " + opened.error().what);
  queue_ = std::move(*opened);
  if (disk_.renamed_unsynced()) fail("a file was renamed before it was synced");
  check_counters();
  std::set<Seq> present;
  Seq last = 0;
  for (const auto& record : all_of(*queue_, at(clock_))) {
    check_handed_out(record);
    if (record.seq <= last)
      fail("after the restart record " + std::to_string(record.seq) + " came after " + std::to_string(last));
    last = record.seq;
    present.insert(record.seq);
  }
  std::set<Seq> dead_letters;
  for (const auto& one : queue_->dead_lettered(100000)) {
    check_handed_out(one.record);
    dead_letters.insert(one.record.seq);
  }
  // In strict nothing of the tail is handed out before it is on disk.
  if (const auto page = queue_->list({}, 100000)) {
    for (const auto& entry : page->entries) {
      if (entry.where == Where::tail) present.insert(entry.record.seq);
    }
  }
  // What was never in the RAM file system may be gone, and its number may be given again: it was never published.
  // An acknowledged record may come back when a power cut removes the note of it.
  std::erase_if(truth_, [&](const auto& one) {
    return !one.second.flushed && !one.second.acknowledged && !present.contains(one.first);
  });
  highest_ = 0;
  for (const auto& [seq, truth] : truth_) {
    if (seq < kClockNumbers) highest_ = seq;
  }
  for (auto& [seq, truth] : truth_) {
    const bool there = present.contains(seq) || dead_letters.contains(seq);
    const bool must = power_lost ? truth.durable : truth.flushed;
    if (must && !truth.acknowledged && !there) {
      fail("record " + std::to_string(seq) + " is lost" + (power_lost ? " by the power cut" : " by the kill"));
    }
    if (!power_lost && truth.acknowledged_flushed && there) {
      fail("record " + std::to_string(seq) + " was acknowledged, and is there again after a kill");
    }
    // What is not there now may still lie in the store, with the note in the tail that it was acknowledged.
    truth.flushed = there;
    truth.durable = there && power_lost && truth.durable;
    truth.acknowledged = truth.acknowledged_flushed = !there;
  }
  queue_->rewind();
  queue_.reset();
}

}  // namespace baudbridge::testing
