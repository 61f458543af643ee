#include "core/reading.h"

#include <array>
#include <charconv>
#include <limits>
#include <type_traits>

namespace baudbridge {
namespace {

struct FaultName {
  Fault kind;
  std::string_view word;
};

/// The words of contract section 4 that stand for themselves; exception carries its code.
constexpr std::array<FaultName, 7> kFaultNames{{{Fault::timeout, "timeout"},
                                                {Fault::checksum, "checksum"},
                                                {Fault::malformed, "malformed"},
                                                {Fault::not_available, "not_available"},
                                                {Fault::out_of_range, "out_of_range"},
                                                {Fault::unplugged, "unplugged"},
                                                {Fault::adapter, "adapter"}}};
constexpr std::string_view kExceptionPrefix = "exception_";

}  // namespace

std::string fault_word(const Error& error) {
  if (error.kind == Fault::exception) return std::string(kExceptionPrefix) + std::to_string(error.code);
  for (const auto& name : kFaultNames) {
    if (name.kind == error.kind) return std::string(name.word);
  }
  return "adapter";
}

Error fault_from_word(std::string_view word) {
  for (const auto& name : kFaultNames) {
    if (name.word == word) return Error{name.kind, std::string(word)};
  }
  if (word.starts_with(kExceptionPrefix)) {
    const std::string_view digits = word.substr(kExceptionPrefix.size());
    int code = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), code);
    if (parsed.ec == std::errc{} && parsed.ptr == digits.data() + digits.size()) {
      return Error{Fault::exception, std::string(word), code};
    }
  }
  return Error{Fault::adapter, std::string(word)};
}

std::string value_text(const Value& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return held;
        } else if constexpr (std::is_same_v<T, bool>) {
          return held ? "true" : "false";
        } else {
          std::array<char, 32> text{};  // the longest double, -2.2250738585072014e-308, has 24 characters
          const auto end = std::to_chars(text.data(), text.data() + text.size(), held).ptr;
          return {text.data(), end};
        }
      },
      value);
}

double as_double(const Value& value) {
  return std::visit(
      [](const auto& held) -> double {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return std::numeric_limits<double>::quiet_NaN();
        } else {
          return static_cast<double>(held);
        }
      },
      value);
}

}  // namespace baudbridge
