#include "src/demo/rtu_requests.h"

#include <algorithm>

#include "adapters/modbus/rtu_frame.h"

namespace baudbridge::simulation {
namespace {

constexpr std::size_t kShortest = 8;  // unit, function, address, count or value, CRC

/// Size of the request that begins here; nothing if that is not known yet; 0 if there is none.
std::optional<std::size_t> request_size(const Bytes& bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const std::uint8_t function = bytes[1];
  if (function >= 1 && function <= 6) return kShortest;
  if (function != 15 && function != 16) return 0;
  if (bytes.size() < 7) return std::nullopt;
  return kShortest + 1 + bytes[6];
}

}  // namespace

std::optional<RtuRequest> RtuRequestReader::next() {
  while (!buffer_.empty()) {
    const std::optional<std::size_t> size = request_size(buffer_);
    if (!size || buffer_.size() < *size) return std::nullopt;
    if (*size != 0) {
      const Bytes pdu(buffer_.begin() + 1, buffer_.begin() + static_cast<std::ptrdiff_t>(*size - 2));
      const Bytes whole = rtu_frame(buffer_[0], pdu);
      if (std::equal(whole.begin(), whole.end(), buffer_.begin())) {
        RtuRequest request{buffer_[0], pdu};
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(*size));
        return request;
      }
    }
    buffer_.erase(buffer_.begin());
  }
  return std::nullopt;
}

}  // namespace baudbridge::simulation
