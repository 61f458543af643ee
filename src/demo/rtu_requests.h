#pragma once
// Finds the requests in the bytes that a simulated RTU device receives. Pure.
// Source: MODBUS over Serial Line Specification 1.02, section 2.5.1.
#include <cstdint>
#include <optional>
#include <span>

#include "adapters/modbus/pdu.h"

namespace baudbridge::simulation {

struct RtuRequest {
  std::uint8_t unit = 0;
  Bytes pdu;
};

/// Threads: one owner.
class RtuRequestReader {
 public:
  void feed(std::span<const std::uint8_t> bytes) { buffer_.insert(buffer_.end(), bytes.begin(), bytes.end()); }
  /// The next complete request with a good CRC; bytes that cannot be one are skipped.
  std::optional<RtuRequest> next();
  /// The line has been silent: what is half there will not be completed.
  void silence() { buffer_.clear(); }
  [[nodiscard]] bool waiting() const { return !buffer_.empty(); }

 private:
  Bytes buffer_;
};

}  // namespace baudbridge::simulation
