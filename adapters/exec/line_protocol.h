#pragma once
// The line protocol of programs that are sensors: one line a fact. Pure.
// Described in adapters/README.md, section "The line protocol"; the first form of it is this project's own.
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "core/reading.h"
#include "core/result.h"

namespace baudbridge {

/// `reading <point> <value> [<unit>]` or `fault <point> <why>`. The point may be `<device>/<point>`.
struct Fact {
  std::string device;  ///< empty: the line names none
  std::string point;   ///< "*" in a fault: the whole device, which does not respond
  Result<Value> value{Value{false}};
  std::string unit;  ///< for people; may be empty
};

struct Ready {};
/// A blank line: what was printed before belongs together.
struct EndOfRecord {};
/// `# anything`
struct Comment {};

using ProtocolLine = std::variant<Fact, Ready, EndOfRecord, Comment>;

/// Longest line; what is longer is no line of the protocol.
inline constexpr std::size_t kMostLineBytes = 64 * 1024;

/// line: without its end; a carriage return before it is ignored. Errors: malformed, with the reason.
[[nodiscard]] Result<ProtocolLine> parse_protocol_line(std::string_view line);

/// A value as the protocol writes it: 21.50, 7, true, "text". Errors: malformed.
/// rest: what follows it.
[[nodiscard]] Result<Value> parse_protocol_value(std::string_view text, std::string_view& rest);

}  // namespace baudbridge
