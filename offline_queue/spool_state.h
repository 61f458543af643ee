#pragma once
// What a store says about itself, in its one row of state: changed only together with the records it speaks of.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/record.h"
#include "core/time.h"
#include "core/timeline.h"

namespace baudbridge {

/// Made at random when a queue is first made: whose numbers these are.
using QueueId = std::array<std::uint8_t, 16>;
[[nodiscard]] std::string queue_id_text(const QueueId& id);  ///< 32 hexadecimal digits

/// How far the reading of a damaged file that was moved aside has come.
struct SalvageMark {
  std::string file;  ///< its name in the store's folder; empty: there is none
  std::uint8_t phase = 0;
  std::uint64_t position = 0;
  std::uint64_t records = 0;  ///< found so far
  std::uint64_t damaged = 0;
  std::uint64_t missing =
      0;               ///< records that the file's counters knew of and that are not found yet: counted as dropped
  Seq not_before = 0;  ///< lower numbers had left the queue when the file was written last
};

/// The counters of the store stand by themselves: accepted = acknowledged + queued + dead_lettered + dropped. What is
/// only in the tail is not in them. What the tail has settled is folded in with the next transaction; the `folded`
/// counts say how much of the tail's counts that is.
struct SpoolState {
  QueueId queue_id{};
  std::uint64_t accepted = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t queued = 0;
  std::uint64_t dead_lettered = 0;
  std::uint64_t dropped = 0;
  std::uint64_t dead_letter_bytes = 0;

  std::uint64_t change = 0;  ///< transactions so far
  Seq last_seq = 0;          ///< the highest number given when this was written
  Seq reserved_through = 0;  ///< no higher number was ever given; the next start after a power cut begins above it
  Seq lowest_seq = 0;        ///< of the queued records; 0: there are none
  Seq moved_through = 0;     ///< what the tail held up to here is in the store, or had left the queue

  std::uint64_t tail_id = 0;  ///< the tail these belong to:
  std::uint64_t folded_accepted = 0;
  std::uint64_t folded_acknowledged = 0;
  std::uint64_t folded_dropped = 0;
  std::uint64_t settled_index = 0;  ///< so many of the tail's notes about settled records of the store are done

  BootId boot{};  ///< when this was written
  Milliseconds boot_clock{};
  std::string untold;  ///< losses that no event has told yet
  SalvageMark salvage;

  [[nodiscard]] bool balanced() const { return accepted == acknowledged + queued + dead_lettered + dropped; }
};

/// The part of the state that has no column of its own.
[[nodiscard]] std::string encode_state_rest(const SpoolState& state);
[[nodiscard]] bool decode_state_rest(std::string_view bytes, SpoolState& state);
/// All of it.
[[nodiscard]] std::string encode_state(const SpoolState& state);
[[nodiscard]] bool decode_state(std::string_view bytes, SpoolState& state);
/// Over every field.
[[nodiscard]] std::uint32_t state_checksum(const SpoolState& state);

/// A start of the machine, as the store remembers it.
struct BootRow {
  BootId boot{};
  Milliseconds age_start{};  ///< what the age clock showed when this boot began (see age_clock.h)
  std::optional<Anchor> anchor;
  Seq last_seq = 0;  ///< the highest number given in it
};

}  // namespace baudbridge
