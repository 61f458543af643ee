// What the control socket and the command line do with a queue: look, bring back, acknowledge by hand.
#include <algorithm>
#include <utility>

#include "offline_queue/outbox_durable.h"
#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {

constexpr std::size_t kRows = 256;
constexpr std::size_t kReadBytes = 256 << 10;

Error no_store(const std::string& trouble) {
  return Error{Fault::io, "the disk refuses now: " + trouble};
}

}  // namespace

std::vector<SetAside> DurableOutbox::set_aside(std::size_t limit) {
  std::vector<SetAside> all;
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

std::uint64_t DurableOutbox::requeue_set_aside(const std::vector<Seq>& seqs, bool only_retry) {
  const auto wanted = [&](Seq seq, bool retry) {
    return (!only_retry || retry) && (seqs.empty() || std::find(seqs.begin(), seqs.end(), seq) != seqs.end());
  };
  std::uint64_t count = 0;
  const auto in_tail = tail_.asides();
  for (const auto& [seq, note] : in_tail) {
    Tail::Entry* entry = tail_.find(seq);
    if (entry == nullptr || !wanted(seq, note.retry)) continue;
    tail_.requeue(*entry);
    put_back(seq);
    ++count;
  }
  const auto in_store = tail_.store_asides();
  for (const auto& [seq, note] : in_store) {
    if (!wanted(seq, note.retry)) continue;
    tail_.requeue_in_store(seq);
    put_back(seq);
    ++count;
  }
  Seq after = 0;
  bool more = spool_ && state_.set_aside > 0;
  while (more) {
    std::vector<Seq> moved;
    auto done = transact(now_, 0, [&](Work& work) -> Result<void> {
      const auto rows = spool_->read_aside(after, kRows);
      if (!rows) return rows.error();
      more = rows->size() == kRows;
      for (const auto& row : *rows) {
        after = row.seq;
        if (!wanted(row.seq, row.retry)) continue;
        const auto erased = spool_->erase_aside(row.seq);
        if (!erased) return erased.error();
        const auto inserted = spool_->insert(row.seq, row.body, row.crc);
        if (!inserted) return inserted.error();
        --work.next.set_aside;
        work.next.set_aside_bytes -= std::min<std::uint64_t>(work.next.set_aside_bytes, row.body.size());
        ++(*inserted ? work.next.queued : work.next.dropped);
        moved.push_back(row.seq);
      }
      work.changed_queue = true;
      return {};
    });
    if (!done) {
      static_cast<void>(refuse(done.error(), now_));
      break;
    }
    for (const Seq seq : moved) put_back(seq);
    count += moved.size();
  }
  return count;
}

/// The first one after `after` of those queued, or of those set aside; a body of another checksum when it is damaged.
Result<std::optional<DurableOutbox::Listed>> DurableOutbox::list_next(bool aside, Seq after) {
  std::optional<Listed> first;
  const auto offer = [&](Listed one) {
    if (!first || one.row.seq < first->row.seq) first = std::move(one);
  };
  // Store and tail lie behind each other, but for what was brought back: the lowest number is next.
  for (Seq from = after; spool_;) {
    auto rows = aside ? spool_->read_aside(from, 1) : spool_->read(from, kMostSeq, 1, kReadBytes);
    if (!rows) return rows.error();
    if (rows->empty()) break;
    from = rows->front().seq;
    const bool leaves = !aside && (tail_.store_settled().contains(from) || damaged_.contains(from) ||
                                   tail_.store_asides().contains(from));
    if (leaves) continue;
    offer({std::move(rows->front()), aside ? Where::set_aside : Where::store});
    break;
  }
  const auto of_tail = std::find_if(tail_.entries().begin(), tail_.entries().end(), [&](const Tail::Entry& entry) {
    return !entry.gone && entry.aside == aside && entry.seq > after;
  });
  if (of_tail != tail_.entries().end()) {
    const AsideNote note = aside ? tail_.asides().at(of_tail->seq) : AsideNote{};
    StoredRecord row{of_tail->seq, tail_.body(*of_tail).value_or(""), of_tail->crc, note.why, note.retry, note.since};
    offer({std::move(row), aside ? Where::set_aside : Where::tail});
  }
  const auto waiting = tail_.store_asides().upper_bound(after);
  if (aside && spool_ && waiting != tail_.store_asides().end()) {
    auto rows = spool_->read(waiting->first - 1, waiting->first, 1, kReadBytes);
    if (!rows) return rows.error();
    if (!rows->empty()) {
      StoredRecord& row = rows->front();
      row.why = waiting->second.why;
      row.retry = waiting->second.retry;
      offer({std::move(row), Where::set_aside});
    }
  }
  return first;
}

Result<QueuePage> DurableOutbox::list(const PageMark& from, std::size_t limit) {
  QueuePage page;
  PageMark at = from;
  while (page.entries.size() < limit) {
    auto next = list_next(at.set_aside, at.after);
    if (!next) return next.error();
    if (!*next) {
      if (at.set_aside) return page;
      at = PageMark{true, 0};
      continue;
    }
    StoredRecord& row = (*next)->row;
    at.after = row.seq;
    auto record = row.whole() ? decode_record(row.seq, row.body) : std::nullopt;
    if (!record) continue;
    page.entries.push_back({std::move(*record), (*next)->where, row.body.size(), row.why, row.retry});
  }
  page.next = at;
  return page;
}

Result<ImportReport> DurableOutbox::import(std::vector<ImportRecord> records, const Now& now) {
  now_ = now;
  ImportReport report;
  std::vector<ImportRecord*> own;
  for (auto& one : records) {
    if (one.queue_id == queue_id_text(state_.queue_id) && one.record.seq != 0) {
      own.push_back(&one);
      continue;
    }
    const Seq seq = accept(std::move(one.record), now);
    if (Tail::Entry* entry = one.set_aside ? tail_.find(seq) : nullptr)
      tail_.put_aside(*entry, {one.why, one.retry, now.utc});
    ++report.renumbered;
  }
  tail_.flush();
  if (own.empty()) return report;
  if (!spool_) return no_store(trouble_);
  for (const auto* one : own) next_seq_ = std::max(next_seq_, one->record.seq + 1);
  ImportReport counted = report;
  auto done = transact(now, 0, [&](Work& work) -> Result<void> {
    for (const auto* one : own) {
      const Seq seq = one->record.seq;
      const auto queued = spool_->contains(seq);
      if (!queued) return queued.error();
      const auto aside = spool_->contains_aside(seq);
      if (!aside) return aside.error();
      if (*queued || *aside || tail_.find(seq) != nullptr) {
        ++counted.present;
        continue;
      }
      StoredRecord row{seq, {}, 0, one->why, one->retry, now.utc};
      encode_record(one->record, row.body);
      row.crc = record_checksum(seq, row.body);
      const auto inserted = one->set_aside ? spool_->insert_aside(row) : spool_->insert(seq, row.body, row.crc);
      if (!inserted) return inserted.error();
      ++work.next.accepted;
      ++(one->set_aside ? work.next.set_aside : work.next.queued);
      if (one->set_aside) work.next.set_aside_bytes += row.body.size();
      ++counted.imported;
    }
    work.changed_queue = true;
    return {};
  });
  if (!done) {
    static_cast<void>(refuse(done.error(), now));
    return done.error();
  }
  for (const auto* one : own) put_back(one->record.seq);
  if (auto copied = spool_->checkpoint_if_due(); !copied) return copied.error();
  return counted;
}

Result<PurgeReport> DurableOutbox::purge(const PurgeOrder& order, std::size_t limit, const Now& now) {
  now_ = now;
  PurgeReport report;
  const auto old_enough = [&](Seq seq, const std::string& body) {
    if (!order.older_than) return true;
    const auto record = decode_record(seq, body);
    const auto age = record ? ages_.age(record->taken, now) : std::nullopt;
    return age && Duration(*age) > *order.older_than;
  };
  report.finished = true;
  if (spool_) {
    auto done = transact(now, 0, [&](Work& work) -> Result<void> {
      for (const bool aside : {false, true}) {
        if (!(aside ? order.set_aside : order.queued)) continue;
        Seq after = 0;
        for (bool more = true; more && report.records < limit;) {
          const auto rows = aside ? spool_->read_aside(after, kRows) : spool_->read(after, kMostSeq, kRows, kReadBytes);
          if (!rows) return rows.error();
          more = !rows->empty();
          for (const auto& row : *rows) {
            if (report.records == limit) break;
            after = row.seq;
            if (!old_enough(row.seq, row.body)) continue;
            const auto erased = aside ? spool_->erase_aside(row.seq) : spool_->erase(row.seq, row.seq);
            if (!erased) return erased.error();
            --(aside ? work.next.set_aside : work.next.queued);
            if (aside) work.next.set_aside_bytes -= std::min<std::uint64_t>(work.next.set_aside_bytes, row.body.size());
            ++work.next.acknowledged;
            outstanding_.erase(row.seq);
            ++report.records;
          }
        }
      }
      work.changed_queue = true;
      return {};
    });
    if (!done) {
      static_cast<void>(refuse(done.error(), now));
      return done.error();
    }
    if (auto copied = spool_->checkpoint_if_due(); !copied) return copied.error();
  }
  purge_tail(order, limit, old_enough, report);
  report.finished = report.records < limit;
  return report;
}

void DurableOutbox::purge_tail(const PurgeOrder& order, std::size_t limit,
                               const std::function<bool(Seq, const std::string&)>& old_enough, PurgeReport& report) {
  std::vector<Seq> going;
  for (const auto& entry : tail_.entries()) {
    if (report.records + going.size() >= limit) break;
    if (entry.gone || !(entry.aside ? order.set_aside : order.queued)) continue;
    if (old_enough(entry.seq, tail_.body(entry).value_or(""))) going.push_back(entry.seq);
  }
  for (const Seq seq : going) {
    tail_.settle(*tail_.find(seq));
    outstanding_.erase(seq);
    ++report.records;
  }
  tail_.flush();
}

}  // namespace baudbridge
