#pragma once
// The queue: a tail and a store, kept as one queue. Private to this folder.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "offline_queue/age_clock.h"
#include "offline_queue/losses.h"
#include "offline_queue/outbox_options.h"
#include "offline_queue/queue.h"
#include "offline_queue/salvage.h"
#include "offline_queue/seq_ranges.h"
#include "offline_queue/spool.h"
#include "offline_queue/store_reader.h"
#include "offline_queue/tail.h"

namespace baudbridge {

/// See Queue. What each file holds, and why neither a kill nor a power cut at any moment between two of these steps
/// loses or invents anything, stands in README.md.
class DurableQueue final : public Queue {
 public:
  DurableQueue(OutboxOptions options, const BootId& boot);
  Result<void> start(const Now& now);
  /// Instead of start(): to look only. Error kinds as of QueueView::open.
  Result<void> look(const Now& now);

  Seq accept(Record record, const Now& now) override;
  void lost_before_acceptance(std::uint64_t count, const std::string& why, const Now& now) override;
  void flush(const Now& now) override;
  const Record* next(Lane lane, const Now& now) override;
  void rewind() override;
  void retry(Seq seq) override;
  void settle(Seq seq, Outcome outcome, const std::string& why, bool retry) override;
  Result<void> persist(const Now& now, bool everything) override;
  [[nodiscard]] Steady persist_due() const override;
  std::vector<DeadLetter> dead_lettered(std::size_t limit) override;
  std::uint64_t requeue_dead_letters(const std::vector<Seq>& seqs, bool only_retry) override;
  Result<QueuePage> list(const PageMark& from, std::size_t limit) override;
  Result<ImportReport> import(std::vector<ImportRecord> records, const Now& now) override;
  Result<PurgeReport> purge(const PurgeOrder& order, std::size_t limit, const Now& now) override;
  void remember(const Anchor& anchor) override;
  [[nodiscard]] const Timeline& timeline() const override { return timeline_; }
  [[nodiscard]] RecordCounters counters() const override;
  [[nodiscard]] Seq last_seq() const override { return next_seq_ - 1; }
  [[nodiscard]] QueueReport report() const override;

 private:
  /// One transaction of the store while it is made.
  struct Work {
    SpoolState next;
    Losses losses;
    std::vector<Seq> asides;                  ///< of the tail, moved to the dead-letter table
    std::uint64_t purged = 0;                 ///< dropped by hand
    std::uint64_t from_tail = 0;              ///< records of the tail that are now counted by the store
    std::optional<std::uint64_t> free_bytes;  ///< of the store's file, at least; none: not asked yet
    bool changed_queue = false;
    bool close_numbers = false;  ///< no number beyond the last one given stays reserved
  };
  using Step = std::function<Result<void>(Work&)>;

  // outbox_open.cpp: from files to a queue.
  Result<void> load_tail(const Now& now);
  Result<void> open_store(const Now& now);
  Result<void> reopen_store(const Now& now);
  Result<void> finish_replacement();
  Result<void> make_store(const SpoolState& first);
  Result<void> replace_store(const std::string& why, const Now& now);
  [[nodiscard]] SpoolState state_after_damage(const Now& now);
  void meet(const Now& now);
  void join(const Now& now);
  void meet_without_store(const Now& now);
  void adopt_tail(const Now& now);
  void learn_boots();
  [[nodiscard]] SpoolOptions spool_options(const std::string& path) const;

  // outbox_persist.cpp: from the tail to the store.
  Result<void> transact(const Now& now, Seq through, const Step& step);
  Result<void> do_work(const Now& now, Work& work, const Step& step);
  Result<void> apply_notes(Work& work);
  void fold_tail(Work& work) const;
  Result<void> save_boot(Work& work, const Now& now);
  void reserve(Work& work) const;
  Result<void> move(Work& work, const Now& now, Seq through);
  Result<void> move_entry(Work& work, const Tail::Entry& entry);

  // outbox_aside.cpp: what the broker has refused.
  Result<void> move_asides(Work& work);
  Result<void> move_aside_row(Work& work, Seq seq, const AsideNote& note);
  Result<void> bound_asides(Work& work);

  // outbox_room.cpp: what goes.
  Result<bool> make_room(Work& work, std::uint64_t record_bytes, bool event);
  Result<std::uint64_t> drop_oldest(Work& work, std::uint64_t bytes);
  Result<void> expire(Work& work, const Now& now);
  void expire_tail(const Now& now);
  [[nodiscard]] Seq move_limit(const Now& now, bool everything);
  [[nodiscard]] Seq batch_end(Seq limit);
  /// When a transaction is due; persist_due() also counts what needs none.
  [[nodiscard]] Steady work_due() const;
  Result<void> store_all(const Now& now, bool everything);
  Result<bool> store_batch(const Now& now, bool everything);
  Result<void> close_numbers(const Now& now);
  void tell_losses(const Now& now, bool all);
  void relieve_tail(const Now& now);
  void plan_expiry(const Now& now);
  Result<void> refuse(const Error& error, const Now& now);
  void works_again();
  void note(const Loss& loss);

  struct Listed {
    StoredRecord row;
    Where where = Where::store;
  };
  Result<std::optional<StoredRecord>> list_store(bool aside, Seq after);
  Result<std::optional<StoredRecord>> list_waiting(Seq after);
  Result<std::optional<Listed>> list_next(bool aside, Seq after);
  [[nodiscard]] std::optional<bool> is_older(const std::string& body, const std::optional<Duration>& than,
                                             const Now& now) const;
  Result<void> purge_table(Work& work, bool aside, const PurgeOrder& order, std::size_t limit, const Now& now);
  Result<void> purge_row(Work& work, const StoredRecord& row, bool aside);
  void purge_tail(const PurgeOrder& order, std::size_t limit, PurgeReport& report, const Now& now);

  // outbox_bring_back.cpp: what was dead-lettered, exported, or in a damaged file.
  Result<void> requeue_rows(Work& work, const std::vector<StoredRecord>& rows);
  Result<bool> add_to_store(const StoredRecord& row, bool aside);
  static void count_added(Work& work, const StoredRecord& row, bool aside);
  Result<void> import_own(Work& work, const std::vector<ImportRecord>& records, ImportReport& report, const Now& now);
  Result<void> salvage_step(const Now& now);

  // queue.cpp: what is handed out.
  struct Cursor {
    Seq after = 0;
    StoreReader reader;
  };
  struct Bounds {
    Seq above = 0;
    Seq through = 0;
  };
  [[nodiscard]] Bounds bounds(Lane lane);
  const StoredRecord* peek_store(Cursor& cursor, Seq through);
  Tail::Entry* peek_tail(Seq after, Seq through);
  const Record* hand_out(Record record);
  void check_end_of_store(const Cursor& cursor);
  void damaged_in_store(Seq seq);
  Seq take_number(const Now& now);
  void put_back(Seq seq);
  [[nodiscard]] bool tail_is_known() const;
  [[nodiscard]] Seq clock_number(const Now& now) const;

  OutboxOptions options_;
  BootId boot_;
  Now now_;  ///< of the latest call that had one

  Tail tail_;
  Tail::Loaded tail_loaded_;
  std::unique_ptr<Spool> spool_;  ///< null while the disk refuses
  SpoolState state_;              ///< the store's, also while it is closed
  std::unique_ptr<Salvage> salvage_;
  AgeClock ages_;
  Timeline timeline_;
  bool boots_dirty_ = false;
  Losses losses_;

  Seq next_seq_ = 1;
  bool end_checked_ = false;     ///< on this connection
  bool live_ended_ = false;      ///< likewise: the live lane had nothing more in the store
  bool clock_numbered_ = false;  ///< numbers go on unreserved, from where the clock said

  SeqRanges outstanding_;  ///< handed out and not settled
  SeqRanges damaged_;      ///< of the store: to be dropped with the next transaction
  std::array<Cursor, 3> cursors_;
  Seq live_from_ = 1;
  bool lanes_fresh_ = true;
  std::uint64_t queue_version_ = 0;
  Record handed_;

  std::string trouble_;
  Steady retry_at_ = Steady::max();
  Steady notes_since_ = Steady::max();  ///< when the first note for the store waited
  Steady expiry_due_ = Steady::max();
  Steady shrink_due_ = Steady::max();
  bool settled_lately_ = false;  ///< the broker has acknowledged something since the last transaction
  bool sync_owed_ = false;       ///< the store may hold what is not synced
  bool persisting_ = false;
  bool reopening_ = false;
};

}  // namespace baudbridge
