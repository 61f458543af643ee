#include "offline_queue/queue.h"

#include <utility>

#include "offline_queue/admin.h"
#include "offline_queue/dead_letters.h"
#include "offline_queue/import.h"
#include "offline_queue/queue_parts.h"
#include "offline_queue/recovery.h"
#include "offline_queue/transfer.h"

namespace baudbridge {

Result<std::unique_ptr<Queue>> Queue::open(const QueueConfig& config, const Now& now, const BootId& boot) {
  return open_queue(queue_options(config), now, boot);
}

QueueOptions queue_options(const QueueConfig& config) {
  QueueOptions options;
  options.config = config;
  options.store_path = config.state_dir + "/queue.db";
  if (!config.runtime_dir.empty()) options.tail_path = config.runtime_dir + "/tail.db";
  return options;
}

Result<std::unique_ptr<Queue>> open_queue(QueueOptions options, const Now& now, const BootId& boot) {
  auto parts = std::make_unique<QueueParts>(std::move(options), boot);
  if (auto loaded = load_tail(*parts, now); !loaded) return loaded.error();
  auto queue = std::make_unique<Queue>(std::move(parts));
  queue->now_ = now;
  if (auto started = queue->transfer_->start(now); !started) return started.error();
  return queue;
}

Queue::Queue(std::unique_ptr<QueueParts> parts)
    : parts_(std::move(parts)), transfer_(std::make_unique<Transfer>(*parts_)) {}

Queue::~Queue() = default;

// In.

Seq Queue::accept(Record record, const Now& now) {
  now_ = now;
  return transfer_->accept(std::move(record), now);
}

void Queue::lost_before_acceptance(std::uint64_t count, const std::string& why, const Now& now) {
  if (count == 0) return;
  now_ = now;
  const Seq first = transfer_->take_number(now);
  const Seq last = first + count - 1;
  parts_->numbers.set_last(last);
  parts_->tail.add_dropped(first, last);
  parts_->record_loss({"dropped", why, count, first, last});
}

void Queue::flush(const Now& now) {
  now_ = now;
  parts_->tail.flush();
}

Result<void> Queue::persist(const Now& now, bool everything) {
  now_ = now;
  return transfer_->persist(now, everything);
}

Steady Queue::persist_due() const {
  return transfer_->due();
}

void Queue::remember(const Anchor& anchor) {
  if (parts_->boots.add(anchor)) parts_->tail.remember(anchor);
}

// Out.

const Record* Queue::next(Lane lane, const Now& now) {
  now_ = now;
  const Record* record = nullptr;
  // While the store cannot be read, or after it was replaced, the second try finds records elsewhere.
  for (int tries = 0; tries < 2 && record == nullptr; ++tries) {
    record = parts_->handout.next(lane);
    const auto error = parts_->handout.take_error();
    if (!error) break;
    static_cast<void>(transfer_->store_failed(*error, now));
  }
  return record;
}

void Queue::rewind() {
  parts_->handout.rewind();
}

void Queue::retry(Seq seq) {
  parts_->handout.retry(seq);
}

bool Queue::is_in_store(Seq seq) const {
  if (!parts_->store.is_open()) return false;
  const auto found = parts_->store->contains(seq);
  return found && *found;
}

void Queue::acknowledge(Seq seq) {
  const bool handed_out = parts_->handout.remove(seq);
  parts_->losses.event_removed(seq);
  if (TailEntry* entry = parts_->tail.find(seq)) {
    if (entry->dead_letter) return;
    parts_->tail.acknowledge(*entry);
  } else {
    if (parts_->tail.store_changes().contains(seq) || parts_->handout.damaged().contains(seq)) return;
    if (!handed_out && !is_in_store(seq)) return;
    transfer_->store_change_added(now_);
    parts_->tail.acknowledge_in_store(seq);
  }
  transfer_->record_acknowledged();
}

void Queue::dead_letter(Seq seq, const std::string& why, bool retry) {
  const bool handed_out = parts_->handout.remove(seq);
  parts_->losses.event_removed(seq);
  const Rejection rejection{why, retry, now_.utc};
  if (TailEntry* entry = parts_->tail.find(seq)) {
    parts_->tail.dead_letter(*entry, rejection);
    return;
  }
  if (parts_->tail.store_changes().contains(seq) || parts_->handout.damaged().contains(seq)) return;
  if (handed_out || is_in_store(seq)) parts_->tail.dead_letter_in_store(seq, rejection);
}

std::vector<DeadLetter> Queue::dead_lettered(std::size_t limit) {
  std::vector<DeadLetter> all;
  PageMark from{true, 0};
  while (all.size() < limit) {
    auto page = list(from, limit - all.size());
    if (!page) break;
    for (auto& entry : page->entries) all.push_back({std::move(entry.record), std::move(entry.why), entry.retry});
    if (!page->next) break;
    from = *page->next;
  }
  return all;
}

std::uint64_t Queue::requeue_dead_letters(const std::vector<Seq>& seqs, bool only_retry) {
  return requeue(*parts_, *transfer_, seqs, only_retry, now_);
}

// Administration.

Result<QueuePage> Queue::list(const PageMark& from, std::size_t limit) {
  return list_records(*parts_, from, limit);
}

Result<ImportReport> Queue::import(std::vector<ImportRecord> records, const Now& now) {
  now_ = now;
  return import_records(*parts_, *transfer_, std::move(records), now);
}

Result<PurgeReport> Queue::purge(const PurgeOrder& order, std::size_t limit, const Now& now) {
  now_ = now;
  return purge_records(*parts_, *transfer_, order, limit, now);
}

const Timeline& Queue::timeline() const {
  return parts_->boots.timeline();
}

RecordCounters Queue::counters() const {
  return count_records(*parts_);
}

Seq Queue::last_seq() const {
  return parts_->numbers.last();
}

QueueReport Queue::report() const {
  return report_queue(*parts_);
}

}  // namespace baudbridge
