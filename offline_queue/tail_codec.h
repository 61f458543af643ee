#pragma once
// The content of the entries of the tail's log (their framing: tail_log.h). Private to this folder.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/timeline.h"
#include "offline_queue/store_changes.h"
#include "offline_queue/store_state.h"
#include "offline_queue/tail_records.h"

namespace baudbridge {

/// The tail's own counters since its file was created; StoreState contains how much of them the store has added to its
/// own.
struct TailCounters {
  std::uint64_t accepted = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t dropped = 0;
};

/// Which queue and boot a tail belongs to, and its counters when its file was last rewritten.
struct TailHead {
  QueueId queue_id{};
  std::uint64_t tail_id = 0;
  BootId boot{};
  std::uint64_t inode = 0;  ///< of the file itself: detects a copy
  TailCounters counts;
  Seq last_seq = 0;                      ///< the highest number given
  std::uint64_t acknowledged_index = 0;  ///< of the last acknowledgement of a record in the store
  StoreState store;                      ///< the store as of the last transaction that the tail recorded
};

/// Stored in the file; they never change.
enum TailEntryType : std::uint8_t {
  kHeadEntry = 1,                      ///< first in the file
  kRecordEntry = 2,                    ///< accepted
  kAcknowledgedEntry = 3,              ///< acknowledged, first to last
  kDroppedEntry = 4,                   ///< dropped, first to last
  kAddDroppedEntry = 5,                ///< accepted and dropped at once, first to last
  kDeadLetterEntry = 6,                ///< dead-lettered
  kRequeueEntry = 7,                   ///< queued again
  kStoreAcknowledgedEntry = 8,         ///< in the store: acknowledged, first to last
  kStoreDeadLetterEntry = 9,           ///< in the store: dead-lettered
  kStoreRequeueEntry = 10,             ///< in the store: not dead-lettered after all
  kTransactionEntry = 11,              ///< a transaction of the store starts
  kCommittedEntry = 12,                ///< it was committed
  kUnconfirmedAcknowledgedEntry = 13,  ///< after a rewrite: acknowledged since the transaction started, counted already
  kUnconfirmedDroppedEntry = 14,       ///< likewise: dropped
  kUnreportedEntry = 15,               ///< all losses that no event has reported
  kAnchorEntry = 16,
  kStampEntry = 17,      ///< the system clock at a flush; must agree with the file's own time stamp
  kSyncFailedEntry = 18  ///< 1: a sync of the store failed; 0: the store was reopened since
};

/// A record entry: its number and checksum (kRecordHead bytes), then its stored form.
inline constexpr std::size_t kRecordHead = 12;

[[nodiscard]] std::string encode_head(const TailHead& head);
[[nodiscard]] bool decode_head(std::string_view payload, TailHead& head);
void write_record_head(Seq seq, std::uint32_t crc, char* out);
[[nodiscard]] std::string encode_record_entry(Seq seq, std::uint32_t crc, std::string_view body);
[[nodiscard]] std::optional<TailEntry> decode_record_entry(std::string_view payload);
[[nodiscard]] std::string encode_range(Seq first, Seq last);
[[nodiscard]] std::optional<std::pair<Seq, Seq>> decode_range(std::string_view payload);
[[nodiscard]] std::string encode_note(const StoreChanges::Note& note);
[[nodiscard]] StoreChanges::Note decode_note(std::string_view payload);
[[nodiscard]] std::string encode_rejection(Seq seq, const Rejection& rejection);
[[nodiscard]] std::optional<std::pair<Seq, Rejection>> decode_rejection(std::string_view payload);
/// moved: dead letters of the tail that the transaction moved to the store.
[[nodiscard]] std::string encode_committed(const StoreState& state, const std::vector<Seq>& moved);
[[nodiscard]] bool decode_committed(std::string_view payload, StoreState& state, std::vector<Seq>& moved);
[[nodiscard]] std::string encode_anchor(const Anchor& anchor);
[[nodiscard]] Anchor decode_anchor(std::string_view payload);
[[nodiscard]] std::string encode_stamp(std::int64_t utc_ms);
[[nodiscard]] std::int64_t decode_stamp(std::string_view payload);

}  // namespace baudbridge
