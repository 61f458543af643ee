#pragma once
// The counters and numbers in the store's one row of state. Private to this folder.
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

/// Random, new for each queue: to which queue a record belongs.
using QueueId = std::array<std::uint8_t, 16>;
[[nodiscard]] std::string queue_id_text(const QueueId& id);  ///< 32 hexadecimal digits

/// How far the salvage of a damaged file has come.
struct SalvageMark {
  std::string file;  ///< its name in the store's folder; empty: there is none
  std::uint8_t phase = 0;
  std::uint64_t position = 0;
  std::uint64_t records = 0;  ///< found so far
  std::uint64_t damaged = 0;
  std::uint64_t missing = 0;  ///< in the file's counters and not found yet: counted as dropped
  Seq not_before = 0;         ///< records with lower numbers had left the queue
};

/// The row of state of the store, written with every transaction. Its counters balance without the tail: what is only in
/// the tail is not in them. What the tail has acknowledged and dropped is added with the next transaction; the `folded`
/// fields say how much of the tail's counters that is.
struct StoreState {
  QueueId queue_id{};
  std::uint64_t accepted = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t queued = 0;
  std::uint64_t dead_lettered = 0;
  std::uint64_t dropped = 0;
  std::uint64_t dead_letter_bytes = 0;

  std::uint64_t change = 0;  ///< transactions so far
  Seq last_seq = 0;          ///< the highest number given when this was written
  Seq reserved_through = 0;  ///< no higher number was given; after a power cut numbers continue above it
  Seq lowest_seq = 0;        ///< of the queued records; 0: there are none
  Seq moved_through = 0;     ///< records of the tail up to here are in the store, or had left the queue

  std::uint64_t tail_id = 0;  ///< the tail that the next four belong to
  std::uint64_t folded_accepted = 0;
  std::uint64_t folded_acknowledged = 0;
  std::uint64_t folded_dropped = 0;
  std::uint64_t acknowledged_index = 0;  ///< acknowledgements in the tail's log up to here are applied

  BootId boot{};  ///< when this was written
  Milliseconds boot_clock{};
  std::string unreported;  ///< losses that no event has reported, encoded
  SalvageMark salvage;

  [[nodiscard]] bool balanced() const { return accepted == acknowledged + queued + dead_lettered + dropped; }
};

/// The part of the state that has no column of its own.
[[nodiscard]] std::string encode_state_rest(const StoreState& state);
[[nodiscard]] bool decode_state_rest(std::string_view bytes, StoreState& state);
/// All of it.
[[nodiscard]] std::string encode_state(const StoreState& state);
[[nodiscard]] bool decode_state(std::string_view bytes, StoreState& state);
/// Over every field.
[[nodiscard]] std::uint32_t state_checksum(const StoreState& state);

/// A start of the machine, as stored.
struct BootRow {
  BootId boot{};
  Milliseconds age_start{};  ///< the age clock (age_clock.h) when this boot started
  std::optional<Anchor> anchor;
  Seq last_seq = 0;  ///< the highest number given in it
};

}  // namespace baudbridge
