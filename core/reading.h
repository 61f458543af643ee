#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "core/result.h"

namespace baudbridge {

/// Integers keep all their digits, so unsigned 64-bit has its own place. A double here is never NaN or infinite.
using Value = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

/// A point's value, or the reason there is none. Unit, name and kind belong to the configured Point.
struct Reading {
  std::string point;
  Result<Value> value;
  friend bool operator==(const Reading&, const Reading&) = default;
};

/// The word of contract section 4: timeout, checksum, malformed, exception_<code>, not_available, out_of_range,
/// unplugged, adapter. Kinds that no reading should have become "adapter".
[[nodiscard]] std::string fault_word(const Error& error);
/// The way back, for what was stored; anything unknown is Fault::adapter.
[[nodiscard]] Error fault_from_word(std::string_view word);

/// The value as text, as JSON and the bare-value format write it, but strings without quotes:
/// shortest decimal form that reads back the same (std::to_chars).
[[nodiscard]] std::string value_text(const Value& value);

/// As a number, where it is one (bool is 0 or 1); otherwise NaN.
[[nodiscard]] double as_double(const Value& value);

}  // namespace baudbridge
