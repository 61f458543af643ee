#include "offline_queue/import.h"

#include <algorithm>
#include <utility>

#include "offline_queue/record_codec.h"
#include "offline_queue/transfer.h"

namespace baudbridge {
namespace {

/// False: the record is queued or dead-lettered already, and stays as it is.
Result<bool> add_record(Transaction& transaction, Tail& tail, const StoredRecord& row, bool dead_letter) {
  Store& store = transaction.store;
  if (tail.find(row.seq) != nullptr) return false;
  const auto in_other_table = dead_letter ? store.contains(row.seq) : store.contains_dead_letter(row.seq);
  if (!in_other_table) return in_other_table.error();
  if (*in_other_table) return false;
  const auto added = dead_letter ? store.insert_dead_letter(row) : store.insert(row.seq, row.body, row.crc);
  if (!added || !*added) return added;
  ++(dead_letter ? transaction.next.dead_lettered : transaction.next.queued);
  if (dead_letter) transaction.next.dead_letter_bytes += row.body.size();
  transaction.changed_queue = true;
  return true;
}

/// Records of this queue.
Result<void> import_own(Transaction& transaction, Tail& tail, const std::vector<ImportRecord>& records,
                        ImportReport& report, const Now& now) {
  for (const auto& one : records) {
    StoredRecord row{one.record.seq, {}, 0, one.why, one.retry, now.utc};
    encode_record(one.record, row.body);
    row.crc = record_checksum(row.seq, row.body);
    const auto added = add_record(transaction, tail, row, one.dead_lettered);
    if (!added) return added.error();
    if (*added) ++transaction.next.accepted;
    ++(*added ? report.imported : report.present);
  }
  return {};
}

}  // namespace

Result<ImportReport> import_records(QueueParts& parts, Transfer& transfer, std::vector<ImportRecord> records,
                                    const Now& now) {
  ImportReport report;
  std::vector<ImportRecord> own;
  const std::string id = queue_id_text(parts.store.state().queue_id);
  for (auto& one : records) {
    if (one.queue_id == id && one.record.seq != 0) {
      own.push_back(std::move(one));
      continue;
    }
    const Seq seq = transfer.accept(std::move(one.record), now);
    TailEntry* entry = one.dead_lettered ? parts.tail.find(seq) : nullptr;
    if (entry != nullptr) parts.tail.dead_letter(*entry, {one.why, one.retry, now.utc});
    ++report.renumbered;
  }
  parts.tail.flush();
  if (own.empty()) return report;
  if (!parts.store.is_open()) return Error{Fault::io, "the disk does not work: " + parts.store.error()};
  for (const auto& one : own) parts.numbers.continue_after(one.record.seq);
  auto done = transfer.run(
      now, 0, [&](Transaction& transaction) { return import_own(transaction, parts.tail, own, report, now); });
  if (done) done = parts.store->checkpoint_if_due();
  if (!done) {
    static_cast<void>(transfer.store_failed(done.error(), now));
    return done.error();
  }
  for (const auto& one : own) parts.handout.put_back(one.record.seq);
  return report;
}

Result<void> salvage_more(QueueParts& parts, Transfer& transfer, const Now& now) {
  SalvageMark mark = parts.store.state().salvage;
  std::vector<Found> found;
  const bool more = parts.salvage->step(mark, found);
  auto done = transfer.run(now, 0, [&](Transaction& transaction) -> Result<void> {
    for (const auto& one : found) {
      const auto added = add_record(transaction, parts.tail, one.record, one.dead_letter);
      if (!added) return added.error();
      if (!*added) continue;
      ++mark.records;
      if (mark.missing > 0) {
        --mark.missing;
        --transaction.next.dropped;
      } else {
        ++transaction.next.accepted;
      }
    }
    transaction.next.salvage = more ? mark : SalvageMark{};
    if (more) return {};
    const std::string what = mark.file + " was read: " + std::to_string(mark.records) + " records are queued again, " +
                             std::to_string(mark.missing) + " are lost";
    transaction.losses.add({"damaged", what, mark.missing, 0, 0});
    return {};
  });
  if (!done) return done;
  if (!more) parts.salvage.reset();
  for (const auto& one : found) parts.handout.put_back(one.record.seq);
  return parts.store->checkpoint_if_due();
}

}  // namespace baudbridge
