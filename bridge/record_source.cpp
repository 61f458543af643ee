#include "bridge/record_source.h"

#include <utility>

namespace baudbridge {

RecordSource::RecordSource(Queue& queue, Encoder encoder, Drain drain, double drain_rate)
    : queue_(queue), encoder_(std::move(encoder)), live_first_(drain == Drain::live_first), rate_(drain_rate) {}

void RecordSource::link_up() {
  backlog_until_ = queue_.last_seq();
}

void RecordSource::link_down() {
  batch_.clear();
  deferred_.reset();
  queue_.rewind();
}

const Record* RecordSource::next(const Now& now) {
  if (live_first_ || backlog_until_ == 0) {
    const Record* record = queue_.next(live_first_ ? Lane::live : Lane::fifo, now);
    if (record != nullptr || !live_first_) return record;
  }
  if (!rate_.take(now.steady)) {
    due_ = rate_.next(now.steady);
    return nullptr;
  }
  const Record* record = queue_.next(live_first_ ? Lane::backlog : Lane::fifo, now);
  if (!live_first_ && (record == nullptr || record->seq > backlog_until_)) backlog_until_ = 0;
  if (record == nullptr) rate_.put_back();
  return record;
}

std::optional<Seq> RecordSource::take(const Now& now) {
  for (;;) {
    const Record* record = next(now);
    if (record == nullptr) {
      if (const Seq deferred = deferred_.release()) queue_.retry(deferred);  // there is no other record
      record = next(now);
    }
    if (record == nullptr) return std::nullopt;
    encoder_.encode(*record, queue_.timeline().resolve(record->taken), batch_);
    const Seq seq = record->seq;
    if (!batch_.empty()) return seq;
    queue_.acknowledge(seq);  // format value, and no point has a value
  }
}

std::optional<Seq> RecordSource::acknowledged(Seq seq) {
  const auto decision = deferred_.acknowledged(seq);
  if (decision.dead_letter) return decision.seq;
  if (decision.seq != 0) queue_.retry(decision.seq);
  return std::nullopt;
}

void RecordSource::rejected_for_load(Seq seq) {
  if (deferred_.rejected(seq)) return;
  if (const Seq other = deferred_.release()) queue_.retry(other);
  queue_.retry(seq);
}

}  // namespace baudbridge
