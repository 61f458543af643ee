#include "adapters/exec/line_protocol.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

#include "core/settings.h"
#include "core/utf8.h"

namespace baudbridge {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::size_t kMostUnitBytes = 64;

Error malformed(std::string what) {
  return Error{Fault::malformed, std::move(what)};
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// Takes the first word off the text.
std::string_view take_word(std::string_view& text) {
  text = trimmed(text);
  const auto end = std::min(text.find_first_of(kBlanks), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// [+-] digits [. digits] [e [+-] digits], at least one digit before the exponent.
/// Result: whether it has a point or an exponent; nothing if it is no number.
std::optional<bool> number_has_fraction(std::string_view word) {
  std::size_t at = !word.empty() && (word[0] == '+' || word[0] == '-') ? 1 : 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < word.size() && is_digit(word[at])) ++at;
    return at - from;
  };
  std::size_t count = digits();
  bool fraction = false;
  if (at < word.size() && word[at] == '.') {
    fraction = true;
    ++at;
    count += digits();
  }
  if (count == 0) return std::nullopt;
  if (at < word.size() && (word[at] == 'e' || word[at] == 'E')) {
    fraction = true;
    ++at;
    if (at < word.size() && (word[at] == '+' || word[at] == '-')) ++at;
    if (digits() == 0) return std::nullopt;
  }
  if (at != word.size()) return std::nullopt;
  return fraction;
}

template <class Number>
bool read_all(std::string_view word, Number& number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc{} && end == word.data() + word.size();
}

Result<Value> parse_number(std::string_view word) {
  const auto fraction = number_has_fraction(word);
  if (!fraction) {
    return malformed("'" + std::string(word) +
                     "' is no value: a number, true, false, or a text in quotation marks is needed");
  }
  if (word.front() == '+') word.remove_prefix(1);
  if (*fraction) {
    double number = 0.0;
    if (!read_all(word, number) || !std::isfinite(number)) {
      // Too small for a double is zero; too large is none.
      return malformed("'" + std::string(word) + "' is too large or too small for a number");
    }
    return Value{number};
  }
  std::int64_t number = 0;
  if (read_all(word, number)) return Value{number};
  std::uint64_t large = 0;
  if (word.front() != '-' && read_all(word, large)) return Value{large};
  return malformed("'" + std::string(word) + "' is too large for an integer; with a point it would be a double");
}

std::optional<std::uint32_t> hex4(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return std::nullopt;
  std::uint32_t code = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 4, code, 16);
  if (error != std::errc{} || end != text.data() + at + 4) return std::nullopt;
  return code;
}

/// `\uXXXX`, two of them for characters beyond the first 65,536 (RFC 8259, section 7). at: behind the u; moved on.
std::optional<std::uint32_t> unicode_escape(std::string_view text, std::size_t& at) {
  const auto first = hex4(text, at);
  if (!first) return std::nullopt;
  at += 4;
  if (*first < 0xD800 || *first > 0xDFFF) return first;
  if (*first > 0xDBFF || text.substr(at, 2) != "\\u") return std::nullopt;
  const auto second = hex4(text, at + 2);
  if (!second || *second < 0xDC00 || *second > 0xDFFF) return std::nullopt;
  at += 6;
  return 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00);
}

std::optional<char> simple_escape(char letter) {
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      return letter;
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    default:
      return std::nullopt;
  }
}

/// text begins with the quotation mark.
Result<Value> parse_quoted(std::string_view text, std::string_view& rest) {
  std::string out;
  std::size_t at = 1;
  while (at < text.size()) {
    const char letter = text[at++];
    if (letter == '"') {
      rest = text.substr(at);
      if (!rest.empty() && kBlanks.find(rest.front()) == std::string_view::npos) {
        return malformed("a blank is needed after the closing quotation mark");
      }
      return Value{std::move(out)};
    }
    if (letter != '\\') {
      if (static_cast<unsigned char>(letter) < 0x20 && letter != '\t')
        return malformed("a control character in a text");
      out += letter;
      continue;
    }
    if (at >= text.size()) break;
    const char escaped = text[at++];
    if (const auto simple = simple_escape(escaped)) {
      out += *simple;
      continue;
    }
    const auto code = escaped == 'u' ? unicode_escape(text, at) : std::nullopt;
    if (!code) return malformed(R"(an escape must be one of \" \\ \/ \b \f \n \r \t \uXXXX)");
    append_utf8_character(out, *code);
  }
  return malformed("the closing quotation mark is missing");
}

/// `<point>` or `<device>/<point>`.
Result<Fact> parse_name(std::string_view name, bool all_allowed) {
  Fact fact;
  const auto slash = name.find('/');
  if (slash != std::string_view::npos) {
    fact.device = name.substr(0, slash);
    if (!valid_id(fact.device)) return malformed("'" + fact.device + "' is no device id (A-Z a-z 0-9 _ -, at most 64)");
    name.remove_prefix(slash + 1);
  }
  fact.point = name;
  if (all_allowed && fact.point == "*") return fact;
  if (!valid_id(fact.point)) return malformed("'" + fact.point + "' is no point id (A-Z a-z 0-9 _ -, at most 64)");
  return fact;
}

Result<ProtocolLine> parse_reading(std::string_view rest) {
  const auto name = take_word(rest);
  if (name.empty()) return malformed("'reading' needs a point and a value");
  auto fact = parse_name(name, false);
  if (!fact) return fact.error();
  auto value = parse_protocol_value(rest, rest);
  if (!value) return value.error();
  fact->value = std::move(value);
  const auto unit = trimmed(rest);
  if (unit.size() > kMostUnitBytes) return malformed("after the value there is more than a unit");
  fact->unit = unit;
  return ProtocolLine{*std::move(fact)};
}

/// A text that begins with one of the words that faults are published as has that kind; others are "adapter".
Error fault_of(std::string_view text) {
  std::string_view rest = text;
  std::string_view word = take_word(rest);
  if (!word.empty() && word.back() == ':') word.remove_suffix(1);
  Error error = fault_from_word(word);
  error.what = text;
  return error;
}

Result<ProtocolLine> parse_fault(std::string_view rest) {
  const auto name = take_word(rest);
  if (name.empty()) return malformed("'fault' needs a point and what is wrong");
  auto fact = parse_name(name, true);
  if (!fact) return fact.error();
  const auto text = trimmed(rest);
  fact->value = fault_of(text.empty() ? "the program reports a fault" : text);
  return ProtocolLine{*std::move(fact)};
}

}  // namespace

Result<Value> parse_protocol_value(std::string_view text, std::string_view& rest) {
  text = trimmed(text);
  if (text.empty()) return malformed("a value is missing");
  if (text.front() == '"') return parse_quoted(text, rest);
  const auto word = take_word(text);
  rest = text;
  if (word == "true") return Value{true};
  if (word == "false") return Value{false};
  return parse_number(word);
}

Result<ProtocolLine> parse_protocol_line(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.size() > kMostLineBytes) return malformed("the line is longer than 64 KiB");
  std::string_view rest = trimmed(line);
  if (rest.empty()) return ProtocolLine{EndOfRecord{}};
  if (rest.front() == '#') return ProtocolLine{Comment{}};
  if (!is_utf8(rest)) return malformed("the line is not UTF-8");
  const auto word = take_word(rest);
  if (word == "reading") return parse_reading(rest);
  if (word == "fault") return parse_fault(rest);
  if (word == "ready" && trimmed(rest).empty()) return ProtocolLine{Ready{}};
  return malformed("a line begins with reading, fault, ready or #");
}

}  // namespace baudbridge
