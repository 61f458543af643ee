#pragma once
// Which reads one device refuses, as learned from its responses. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/modbus/pdu.h"
#include "core/time.h"

namespace baudbridge {

/// Which reads a device refuses: those that cover certain registers together (one between them is missing, or a
/// boundary may not be crossed), and those that are too long. A fact is forgotten after a day, so that a device that
/// was exchanged or a mistake does not cost line time forever.
/// Threads: one owner.
class Knowledge {
 public:
  /// A read that covers all of first..last is refused.
  struct Refusal {
    Table table = Table::holding;
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    Steady learned{};
  };

  void refused(Table table, std::uint16_t first, std::uint16_t last, Steady now);
  /// A read of exactly these was answered.
  void not_refused(Table table, std::uint16_t first, std::uint16_t last);
  /// A read of so many was refused for its length alone.
  void too_long(Table table, std::uint16_t count, Steady now);
  /// A read of so many was answered.
  void answered(Table table, std::uint16_t count);
  /// All reads of a poll cycle that were planned with longest() were answered: longer ones may be tried.
  void try_longer(Table table);
  /// Forgets what is older than a day. True if something was forgotten.
  bool forget_old(Steady now);

  [[nodiscard]] bool refuses(Table table, std::uint32_t first, std::uint32_t end) const;
  /// The longest read to try, not above `limit`.
  [[nodiscard]] std::uint16_t longest(Table table, std::uint16_t limit) const;
  /// The longest read that was answered so far; 0: none.
  [[nodiscard]] std::uint16_t longest_answered(Table table) const { return length(table).good; }
  /// Changes whenever a plan made with this knowledge may be out of date.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] const std::vector<Refusal>& refusals() const { return refusals_; }

  /// One fact a line: "refused holding 10 19", "length registers 40 41".
  [[nodiscard]] std::string save() const;
  /// Lines that are not understood are left out; they cost a request, not a value.
  static Knowledge load(std::string_view text, Steady now);

 private:
  /// Bisection of the longest response: known to work, known to fail.
  struct Length {
    std::uint16_t good = 0;
    std::uint16_t bad = 0;  ///< 0: none is known
    std::uint16_t tried = 0;
    Steady learned{};
  };
  Length& length(Table table) { return lengths_[holds_bits(table) ? 1 : 0]; }
  [[nodiscard]] const Length& length(Table table) const { return lengths_[holds_bits(table) ? 1 : 0]; }

  std::vector<Refusal> refusals_;
  Length lengths_[2];  ///< registers, bits
  std::uint64_t version_ = 0;
};

/// "holding": the word of the configuration.
[[nodiscard]] std::string_view table_word(Table table);

}  // namespace baudbridge
