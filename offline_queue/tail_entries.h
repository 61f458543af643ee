#pragma once
// What the entries of the tail's log say (their framing: tail_log.h). Private to the tail.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/timeline.h"
#include "offline_queue/spool_state.h"
#include "offline_queue/tail.h"

namespace baudbridge {

/// Numbers in the file; they never change.
enum TailEntryType : std::uint8_t {
  kHeadEntry = 1,           ///< first in the file
  kRecordEntry = 2,         ///< accepted
  kSettledEntry = 3,        ///< acknowledged, first to last
  kDroppedEntry = 4,        ///< dropped, first to last
  kAddDroppedEntry = 5,     ///< accepted and dropped at once, first to last
  kAsideEntry = 6,          ///< dead-lettered
  kRequeueEntry = 7,        ///< queued again
  kStoreSettledEntry = 8,   ///< a note for the store: acknowledged, first to last
  kStoreAsideEntry = 9,     ///< a note for the store: dead-lettered
  kStoreRequeueEntry = 10,  ///< that note is taken back
  kAttemptEntry = 11,       ///< a transaction of the store begins
  kCommittedEntry = 12,     ///< it was committed
  kDoubtSettledEntry = 13,  ///< after a rewrite: acknowledged since the attempt, counted already
  kDoubtDroppedEntry = 14,
  kUntoldEntry = 15,  ///< all losses that are not told
  kAnchorEntry = 16,
  kDistrustEntry = 18,  ///< 1: a sync of the store failed; 0: made good
  kStampEntry = 17,     ///< the system clock at a flush: the file's own time stamp must agree
};

inline constexpr std::size_t kRecordHead = 12;

[[nodiscard]] std::string head_payload(const TailHead& head);
/// kRecordHead bytes; the record's body follows them.
void write_record_head(Seq seq, std::uint32_t crc, char* out);
[[nodiscard]] std::string record_payload(Seq seq, std::uint32_t crc, std::string_view body);
[[nodiscard]] std::string range_payload(Seq first, Seq last);
[[nodiscard]] std::string note_payload(std::uint64_t index, Seq first, Seq last);
[[nodiscard]] std::string aside_payload(Seq seq, const AsideNote& note);
[[nodiscard]] std::string committed_payload(const SpoolState& state, const std::vector<Seq>& asides);
[[nodiscard]] std::string anchor_payload(const Anchor& anchor);
[[nodiscard]] bool decode_head(std::string_view payload, TailHead& head);

}  // namespace baudbridge
