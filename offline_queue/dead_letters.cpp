#include "offline_queue/dead_letters.h"

#include <algorithm>

#include "offline_queue/transfer.h"

namespace baudbridge {
namespace {

constexpr std::size_t kRowsPerTransaction = 256;

/// Which dead letters to queue again.
struct Selection {
  const std::vector<Seq>& seqs;  ///< empty: all
  bool only_retry;
  [[nodiscard]] bool contains(Seq seq, bool retry) const {
    return (!only_retry || retry) && (seqs.empty() || std::find(seqs.begin(), seqs.end(), seq) != seqs.end());
  }
};

Result<void> count_dead_letter(Transaction& transaction, const StoredRecord& row, bool from_store) {
  const auto inserted = transaction.store.insert_dead_letter(row);
  if (!inserted) return inserted.error();
  if (*inserted) {
    ++transaction.next.dead_lettered;
    transaction.next.dead_letter_bytes += row.body.size();
    if (!from_store) ++transaction.next.accepted;
  } else if (from_store) {
    --transaction.next.accepted;  // the same record was in both tables
  }
  return {};
}

Result<void> requeue_rows(Transaction& transaction, const std::vector<StoredRecord>& rows) {
  transaction.changed_queue = true;
  for (const auto& row : rows) {
    if (auto erased = erase_dead_letter(transaction, row); !erased) return erased;
    const auto inserted = transaction.store.insert(row.seq, row.body, row.crc);
    if (!inserted) return inserted.error();
    if (*inserted) {
      ++transaction.next.queued;
    } else {
      --transaction.next.accepted;  // the same record was in both tables
    }
  }
  return {};
}

/// Those of the tail, and those whose move to the table of dead letters was not committed yet.
std::vector<Seq> requeue_in_tail(Tail& tail, const Selection& selection) {
  std::vector<Seq> requeued;
  const auto of_tail = tail.dead_letters();
  for (const auto& [seq, rejection] : of_tail) {
    TailEntry* entry = tail.find(seq);
    if (entry == nullptr || !selection.contains(seq, rejection.retry)) continue;
    tail.requeue(*entry);
    requeued.push_back(seq);
  }
  const auto of_store = tail.store_changes().dead_letters();
  for (const auto& [seq, rejection] : of_store) {
    if (!selection.contains(seq, rejection.retry)) continue;
    tail.requeue_in_store(seq);
    requeued.push_back(seq);
  }
  return requeued;
}

}  // namespace

Result<void> move_to_dead_letters(Transaction& transaction, Seq seq, const Rejection& rejection) {
  auto rows = transaction.store.read(seq - 1, seq, 1, 1);
  if (!rows) return rows.error();
  if (rows->empty()) return {};
  StoredRecord& row = rows->front();
  row.why = rejection.why;
  row.retry = rejection.retry;
  row.since = rejection.since;
  const auto erased = transaction.store.erase(seq, seq);
  if (!erased) return erased.error();
  --transaction.next.queued;
  return count_dead_letter(transaction, row, true);
}

Result<void> move_dead_letters_of_tail(Transaction& transaction, const Tail& tail) {
  if (tail.dead_letters().empty()) return {};
  for (const auto& entry : tail.entries()) {
    if (entry.removed || !entry.dead_letter) continue;
    const Rejection& rejection = tail.dead_letters().at(entry.seq);
    const auto body = tail.body(entry);
    ++transaction.from_tail;
    transaction.moved_dead_letters.push_back(entry.seq);
    if (!body) {
      ++transaction.next.accepted;
      ++transaction.next.dropped;
      transaction.losses.add({"damaged", kDamagedInMemory, 1, entry.seq, entry.seq});
      continue;
    }
    const StoredRecord row{entry.seq, *body, entry.crc, rejection.why, rejection.retry, rejection.since};
    if (auto done = count_dead_letter(transaction, row, false); !done) return done;
  }
  return {};
}

Result<void> limit_dead_letters(Transaction& transaction, std::uint64_t max_bytes) {
  while (max_bytes != 0 && transaction.next.dead_letter_bytes > max_bytes) {
    const auto rows = transaction.store.read_dead_letters(0, 1);
    if (!rows) return rows.error();
    if (rows->empty()) return {};
    if (auto erased = erase_dead_letter(transaction, rows->front()); !erased) return erased;
    ++transaction.next.dropped;
    transaction.losses.add(
        dropped("the dead letters exceed a quarter of max_size: the oldest were dropped", rows->front().seq));
  }
  return {};
}

Result<void> erase_dead_letter(Transaction& transaction, const StoredRecord& row) {
  const auto erased = transaction.store.erase_dead_letter(row.seq);
  if (!erased) return erased.error();
  --transaction.next.dead_lettered;
  transaction.next.dead_letter_bytes -= std::min<std::uint64_t>(transaction.next.dead_letter_bytes, row.body.size());
  return {};
}

std::uint64_t requeue(QueueParts& parts, Transfer& transfer, const std::vector<Seq>& seqs, bool only_retry,
                      const Now& now) {
  const Selection selection{seqs, only_retry};
  std::vector<Seq> requeued = requeue_in_tail(parts.tail, selection);
  Seq after = 0;
  for (bool more = parts.store.is_open() && parts.store.state().dead_lettered > 0; more;) {
    std::vector<Seq> moved;
    auto done = transfer.run(now, 0, [&](Transaction& transaction) -> Result<void> {
      auto rows = transaction.store.read_dead_letters(after, kRowsPerTransaction);
      if (!rows) return rows.error();
      more = rows->size() == kRowsPerTransaction;
      if (!rows->empty()) after = rows->back().seq;
      std::erase_if(*rows, [&](const StoredRecord& row) { return !selection.contains(row.seq, row.retry); });
      for (const auto& row : *rows) moved.push_back(row.seq);
      return requeue_rows(transaction, *rows);
    });
    if (!done) {
      static_cast<void>(transfer.store_failed(done.error(), now));
      break;
    }
    requeued.insert(requeued.end(), moved.begin(), moved.end());
  }
  for (const Seq seq : requeued) parts.handout.put_back(seq);
  return requeued.size();
}

}  // namespace baudbridge
