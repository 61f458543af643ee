// What comes back into the queue: records that were dead-lettered, exported, or in a damaged file.
#include <algorithm>
#include <utility>

#include "offline_queue/outbox_durable.h"
#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {

constexpr std::size_t kRows = 256;

Error no_store(const std::string& trouble) {
  return Error{Fault::io, "the disk refuses now: " + trouble};
}

/// Which of the dead letters are meant.
struct Wanted {
  const std::vector<Seq>& seqs;  ///< empty: all
  bool only_retry;
  [[nodiscard]] bool operator()(Seq seq, bool retry) const {
    return (!only_retry || retry) && (seqs.empty() || std::find(seqs.begin(), seqs.end(), seq) != seqs.end());
  }
};

}  // namespace

std::uint64_t DurableQueue::requeue_dead_letters(const std::vector<Seq>& seqs, bool only_retry) {
  const Wanted wanted{seqs, only_retry};
  std::vector<Seq> back;
  const auto in_tail = tail_.asides();
  for (const auto& [seq, note] : in_tail) {
    Tail::Entry* entry = tail_.find(seq);
    if (entry == nullptr || !wanted(seq, note.retry)) continue;
    tail_.requeue(*entry);
    back.push_back(seq);
  }
  const auto waiting = tail_.store_asides();
  for (const auto& [seq, note] : waiting) {
    if (!wanted(seq, note.retry)) continue;
    tail_.requeue_in_store(seq);
    back.push_back(seq);
  }
  Seq after = 0;
  for (bool more = spool_ && state_.dead_lettered > 0; more;) {
    std::vector<Seq> moved;
    auto done = transact(now_, 0, [&](Work& work) -> Result<void> {
      auto rows = spool_->read_aside(after, kRows);
      if (!rows) return rows.error();
      more = rows->size() == kRows;
      if (!rows->empty()) after = rows->back().seq;
      std::erase_if(*rows, [&](const StoredRecord& row) { return !wanted(row.seq, row.retry); });
      for (const auto& row : *rows) moved.push_back(row.seq);
      return requeue_rows(work, *rows);
    });
    if (!done) {
      static_cast<void>(refuse(done.error(), now_));
      break;
    }
    back.insert(back.end(), moved.begin(), moved.end());
  }
  for (const Seq seq : back) put_back(seq);
  return back.size();
}

Result<void> DurableQueue::requeue_rows(Work& work, const std::vector<StoredRecord>& rows) {
  work.changed_queue = true;
  for (const auto& row : rows) {
    const auto erased = spool_->erase_dead_letter(row.seq);
    if (!erased) return erased.error();
    const auto inserted = spool_->insert(row.seq, row.body, row.crc);
    if (!inserted) return inserted.error();
    --work.next.dead_lettered;
    work.next.dead_letter_bytes -= std::min<std::uint64_t>(work.next.dead_letter_bytes, row.body.size());
    if (*inserted) {
      ++work.next.queued;
    } else {
      --work.next.accepted;  // the same record was there twice
    }
  }
  return {};
}

/// A record that is in the queue, or dead-lettered, is left as it is: false.
Result<bool> DurableQueue::add_to_store(const StoredRecord& row, bool aside) {
  if (tail_.find(row.seq) != nullptr) return false;
  const auto twin = aside ? spool_->contains(row.seq) : spool_->contains_aside(row.seq);
  if (!twin) return twin.error();
  if (*twin) return false;
  return aside ? spool_->insert_aside(row) : spool_->insert(row.seq, row.body, row.crc);
}

void DurableQueue::count_added(Work& work, const StoredRecord& row, bool aside) {
  ++(aside ? work.next.dead_lettered : work.next.queued);
  if (aside) work.next.dead_letter_bytes += row.body.size();
  work.changed_queue = true;
}

Result<ImportReport> DurableQueue::import(std::vector<ImportRecord> records, const Now& now) {
  now_ = now;
  ImportReport report;
  std::vector<ImportRecord> own;
  const std::string id = queue_id_text(state_.queue_id);
  for (auto& one : records) {
    if (one.queue_id == id && one.record.seq != 0) {
      own.push_back(std::move(one));
      continue;
    }
    const Seq seq = accept(std::move(one.record), now);
    Tail::Entry* entry = one.dead_lettered ? tail_.find(seq) : nullptr;
    if (entry != nullptr) tail_.put_aside(*entry, {one.why, one.retry, now.utc});
    ++report.renumbered;
  }
  tail_.flush();
  if (own.empty()) return report;
  if (!spool_) return no_store(trouble_);
  for (const auto& one : own) next_seq_ = std::max(next_seq_, one.record.seq + 1);
  auto done = transact(now, 0, [&](Work& work) { return import_own(work, own, report, now); });
  if (done) done = spool_->checkpoint_if_due();
  if (!done) {
    static_cast<void>(refuse(done.error(), now));
    return done.error();
  }
  for (const auto& one : own) put_back(one.record.seq);
  return report;
}

Result<void> DurableQueue::import_own(Work& work, const std::vector<ImportRecord>& records, ImportReport& report,
                                      const Now& now) {
  for (const auto& one : records) {
    StoredRecord row{one.record.seq, {}, 0, one.why, one.retry, now.utc};
    encode_record(one.record, row.body);
    row.crc = record_checksum(row.seq, row.body);
    const auto added = add_to_store(row, one.dead_lettered);
    if (!added) return added.error();
    if (!*added) {
      ++report.present;
      continue;
    }
    ++work.next.accepted;
    ++report.imported;
    count_added(work, row, one.dead_lettered);
  }
  return {};
}

/// Some more of the damaged file that was moved aside. Where it has come to is written together with what was found.
Result<void> DurableQueue::salvage_step(const Now& now) {
  SalvageMark mark = state_.salvage;
  std::vector<Found> found;
  const bool more = salvage_->step(mark, found);
  auto done = transact(now, 0, [&](Work& work) -> Result<void> {
    for (const auto& one : found) {
      const auto added = add_to_store(one.record, one.aside);
      if (!added) return added.error();
      if (!*added) continue;
      ++mark.records;
      if (mark.missing > 0) {
        --mark.missing;
        --work.next.dropped;
      } else {
        ++work.next.accepted;
      }
      count_added(work, one.record, one.aside);
    }
    work.next.salvage = more ? mark : SalvageMark{};
    if (more) return {};
    const std::string what = mark.file + " was read: " + std::to_string(mark.records) + " records are queued again, " +
                             std::to_string(mark.missing) + " are lost";
    work.losses.add({"damaged", what, mark.missing, 0, 0});
    return {};
  });
  if (!done) return done;
  if (!more) salvage_.reset();
  for (const auto& one : found) put_back(one.record.seq);
  return spool_->checkpoint_if_due();
}

}  // namespace baudbridge
