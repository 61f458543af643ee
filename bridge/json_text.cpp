#include "bridge/json_text.h"

#include <cmath>
#include <cstdint>

#include "core/utf8.h"

namespace baudbridge {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

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

/// Appends valid runs at once; `plain`: which ASCII characters are copied.
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
    const std::size_t length = c < 0x80 ? 0 : utf8_character_size(text.substr(i));
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
