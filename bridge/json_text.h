#pragma once
// Writes JSON (RFC 8259) by hand into a buffer that is used again: the hot path makes hundreds of thousands of values a
// second.
#include <array>
#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

#include "core/reading.h"

namespace baudbridge {

/// Appends `text` as it is, but what is not UTF-8 in it becomes U+FFFD.
void append_utf8(std::string& out, std::string_view text);
/// Appends `text` as a JSON string, quotes included; invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
/// Appends a value: numbers as the shortest decimal form that reads back the same, integers with all their digits.
/// A double that is not finite (only a bug makes one) becomes null.
void append_json_value(std::string& out, const Value& value);

template <class Integer>
requires std::integral<Integer>
void append_number(std::string& out, Integer number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}
void append_number(std::string& out, double number);

/// One JSON object without white space, written member by member in the order of the calls.
/// Threads: one caller. The buffer must outlive it. Call close() last.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }

  JsonObject& text(std::string_view name, std::string_view value) {
    key(name);
    append_json_string(out_, value);
    return *this;
  }
  JsonObject& flag(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
    return *this;
  }
  template <class Number>
  JsonObject& number(std::string_view name, Number value) {
    key(name);
    append_number(out_, value);
    return *this;
  }
  JsonObject& value(std::string_view name, const Value& content) {
    key(name);
    append_json_value(out_, content);
    return *this;
  }
  /// `json` is JSON already.
  JsonObject& raw(std::string_view name, std::string_view json) {
    key(name);
    out_ += json;
    return *this;
  }
  /// Writes the name; the caller then appends one JSON value to the buffer.
  void key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    append_json_string(out_, name);
    out_ += ':';
  }
  void close() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace baudbridge
