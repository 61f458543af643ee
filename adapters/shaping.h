#pragma once
// From the raw value that a device sent to the value that is published, and back for writes. Pure.
#include <cstdint>
#include <optional>

#include "core/point.h"
#include "core/reading.h"

namespace baudbridge {

/// not_available, then scale and offset, then min and max, then map, then decimals.
/// bits: the raw bit pattern, where the protocol has one; compared with point.not_available.
/// An integer with scale 1 and offset 0 keeps all its digits. Without `decimals`, a scaled integer is rounded to the
/// digits that scale and offset have ("0.1" gives one), so that 612 * 0.1 is published as 61.2.
/// NaN and infinity are Fault::not_available.
[[nodiscard]] Result<Value> shape(const Point& point, const Value& raw, std::optional<std::uint64_t> bits);

/// True if shape() returns every finite value unchanged: nothing is configured that would change it.
[[nodiscard]] bool published_as_read(const Point& point);

/// The way back for a write: undoes map, offset and scale. The result is the raw number (double when scaled; integers
/// exact where possible), text or bool as given. Errors (Fault::refused): outside min/max, not a word of the map,
/// not finite, of the wrong type. Their text reads "95 is above max 80".
[[nodiscard]] Result<Value> unshape(const Point& point, const Value& wanted);

/// Neither text nor true or false.
[[nodiscard]] bool is_number(const Value& value);
/// Why a write is refused: "must be a number, not true", "must be a number, not the text "on"".
[[nodiscard]] Error wrong_type(const char* needed, const Value& wanted);

}  // namespace baudbridge
