#include "bridge/json_text.h"

#include <cmath>
#include <cstdint>

namespace baudbridge {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Length of the valid UTF-8 sequence at the start of `text` (Unicode 15, table 3-7); 0: none starts here.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
    if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogate
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

void append_escaped(std::string& out, unsigned char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  out += "\\u00";
  out += kHex[c >> 4U];
  out += kHex[c & 15U];
}

/// Appends valid runs at once; `plain` says which ASCII characters need nothing done.
template <class Plain, class Special>
void append_checked(std::string& out, std::string_view text, Plain plain, Special special) {
  std::size_t begin = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80 && plain(c)) {
      ++i;
      continue;
    }
    const std::size_t length = c < 0x80 ? 0 : sequence_length(text.substr(i));
    if (length > 0) {
      i += length;
      continue;
    }
    out.append(text, begin, i - begin);
    if (c < 0x80) {
      special(c);
    } else {
      out += kReplacement;
    }
    begin = ++i;
  }
  out.append(text, begin, text.size() - begin);
}

}  // namespace

void append_utf8(std::string& out, std::string_view text) {
  append_checked(
      out, text, [](unsigned char) { return true; }, [](unsigned char) {});
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_checked(
      out, text, [](unsigned char c) { return c >= 0x20 && c != '"' && c != '\\'; },
      [&](unsigned char c) { append_escaped(out, c); });
  out += '"';
}

void append_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  std::array<char, 40> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_json_value(std::string& out, const Value& value) {
  switch (value.index()) {
    case 0:
      out += *std::get_if<bool>(&value) ? "true" : "false";
      return;
    case 1:
      append_number(out, *std::get_if<std::int64_t>(&value));
      return;
    case 2:
      append_number(out, *std::get_if<std::uint64_t>(&value));
      return;
    case 3:
      append_number(out, *std::get_if<double>(&value));
      return;
    default:
      append_json_string(out, *std::get_if<std::string>(&value));
      return;
  }
}

}  // namespace baudbridge
