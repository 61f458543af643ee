#pragma once
// A field of a binary frame -> its value. Pure.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/serial/text_field.h"
#include "core/settings.h"

namespace baudbridge {

enum class FieldKind { unsigned_number, signed_number, floating, bcd, boolean, text, decimal };

/// Where a point stands in a frame and how it is written there.
struct FrameField {
  int offset = 0;        ///< first byte, from the frame's first; negative: from its end
  std::size_t size = 1;  ///< bytes
  FieldKind kind = FieldKind::unsigned_number;
  bool little = false;  ///< low byte first
  /// Bits of the number, counted from 0 at the lowest.
  struct Bits {
    unsigned low = 0;
    unsigned high = 0;
  };
  std::optional<Bits> bits;
  TextField decimal;  ///< kind decimal: how the digits are written
};

/// Reads at, type, bits, length (and those of a text field for type = "decimal").
/// little: the byte order of types that do not name theirs.
FrameField parse_frame_field(Settings& point, bool little);
/// Errors: malformed when the frame is too short, or no BCD; not_available for blanks.
[[nodiscard]] Result<RawValue> read_field(std::string_view frame, const FrameField& field);

}  // namespace baudbridge
