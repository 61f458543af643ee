#pragma once
#include <cstdint>
#include <string>

#include "core/backoff.h"
#include "core/health.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// Whether a bus is open, since when, and when it is to be opened again. Logs each change once, and a reminder every
/// hour while the bus cannot be opened.
/// Threads: one owner.
class BusHealth {
 public:
  BusHealth(std::string bus, Duration reopen_max);

  void opened(const Now& now);
  void closed() { open_ = false; }
  /// The open bus works: a poll or a forwarded request was carried out.
  void worked(const Now& now);
  /// The bus could not be opened, or is gone.
  void lost(const Error& why, const Now& now);
  /// How long to wait after lost(): the first time not at all, then longer and longer.
  [[nodiscard]] Duration reopen_delay();

  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] const std::string& why() const { return why_; }  ///< why it is not open
  [[nodiscard]] std::uint64_t losses() const { return losses_; }

 private:
  std::string bus_;
  Backoff backoff_;
  std::uint64_t seed_;
  Health health_;
  bool open_ = false;
  Steady opened_at_{};
  std::string why_;
  unsigned failures_ = 0;  ///< attempts in a row that failed
  std::uint64_t losses_ = 0;
  bool reopen_at_once_ = true;
  Steady reminded_at_{};
};

}  // namespace baudbridge
