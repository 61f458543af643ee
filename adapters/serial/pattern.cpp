#include "adapters/serial/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <utility>

namespace baudbridge {
namespace {

// A line has a few hundred characters; an expression that needs more than this for one is a mistake.
constexpr std::uint32_t kMatchLimit = 100'000;
constexpr std::uint32_t kHeapLimitKiB = 1024;

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

std::string message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

}  // namespace

struct Pattern::Compiled {
  std::unique_ptr<pcre2_code, FreeCode> code;
  std::unique_ptr<pcre2_match_data, FreeData> data;
  std::unique_ptr<pcre2_match_context, FreeContext> context;
};

Pattern::Pattern(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Result<Pattern> Pattern::compile(const std::string& text) {
  int failure = 0;
  PCRE2_SIZE at = 0;
  auto compiled = std::make_unique<Compiled>();
  compiled->code.reset(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), PCRE2_NEVER_UTF, &failure, &at, nullptr));
  if (!compiled->code) {
    return Error{Fault::config,
                 "the regular expression is wrong at character " + std::to_string(at + 1) + ": " + message(failure)};
  }
  compiled->data.reset(pcre2_match_data_create_from_pattern(compiled->code.get(), nullptr));
  compiled->context.reset(pcre2_match_context_create(nullptr));
  if (!compiled->data || !compiled->context) return Error{Fault::config, "out of memory"};
  pcre2_set_match_limit(compiled->context.get(), kMatchLimit);
  pcre2_set_heap_limit(compiled->context.get(), kHeapLimitKiB);
  return Pattern(std::move(compiled));
}

std::optional<std::vector<std::string_view>> Pattern::match(std::string_view subject) {
  const int count = pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(), 0,
                                0, compiled_->data.get(), compiled_->context.get());
  if (count < 0) return std::nullopt;
  const PCRE2_SIZE* const places = pcre2_get_ovector_pointer(compiled_->data.get());
  std::vector<std::string_view> groups(pcre2_get_ovector_count(compiled_->data.get()));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const PCRE2_SIZE begin = places[2 * i];
    const PCRE2_SIZE end = places[2 * i + 1];
    if (begin != PCRE2_UNSET && begin <= end && end <= subject.size()) groups[i] = subject.substr(begin, end - begin);
  }
  return groups;
}

std::optional<std::size_t> Pattern::group(const std::string& name) const {
  const int number =
      pcre2_substring_number_from_name(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(name.c_str()));
  if (number <= 0) return std::nullopt;
  return static_cast<std::size_t>(number);
}

std::vector<std::string> Pattern::group_names() const {
  std::uint32_t count = 0;
  std::uint32_t entry_size = 0;
  PCRE2_SPTR table = nullptr;
  pcre2_pattern_info(compiled_->code.get(), PCRE2_INFO_NAMECOUNT, &count);
  pcre2_pattern_info(compiled_->code.get(), PCRE2_INFO_NAMEENTRYSIZE, &entry_size);
  pcre2_pattern_info(compiled_->code.get(), PCRE2_INFO_NAMETABLE, &table);
  std::vector<std::string> names;
  // Each entry: the group's number in two bytes, then its name and a zero (pcre2api, PCRE2_INFO_NAMETABLE).
  for (std::uint32_t i = 0; i < count; ++i) {
    names.emplace_back(reinterpret_cast<const char*>(table + static_cast<std::size_t>(i) * entry_size + 2));
  }
  return names;
}

}  // namespace baudbridge
