#include "core/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

namespace baudbridge {
namespace {

constexpr std::size_t kMaxIdLength = 64;

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

/// Largest first: the first one that divides a duration is used to write it.
constexpr std::array<Unit, 5> kTimeUnits{{{"d", 86'400'000'000'000},
                                          {"h", 3'600'000'000'000},
                                          {"m", 60'000'000'000},
                                          {"s", 1'000'000'000},
                                          {"ms", 1'000'000}}};
constexpr std::array<Unit, 5> kSizeUnits{
    {{"TiB", 1LL << 40}, {"GiB", 1LL << 30}, {"MiB", 1LL << 20}, {"KiB", 1LL << 10}, {"B", 1}}};

/// Digits, then one of the units, nothing else: "250ms".
template <std::size_t N>
std::optional<std::int64_t> parse_with_unit(std::string_view text, const std::array<Unit, N>& units) {
  std::int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, count);
  if (parsed.ec != std::errc{} || text.front() == '-') return std::nullopt;
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  for (const auto& known : units) {
    if (known.name != unit) continue;
    if (count > std::numeric_limits<std::int64_t>::max() / known.factor) return std::nullopt;
    return count * known.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string text_with_unit(std::int64_t amount, const std::array<Unit, N>& units) {
  for (const auto& unit : units) {
    if (amount != 0 && amount % unit.factor == 0) return std::to_string(amount / unit.factor) + std::string(unit.name);
  }
  const Unit& smallest = units.back();
  return std::to_string(amount / smallest.factor) + std::string(smallest.name);
}

std::string kind_of(const ConfigNode& node) {
  constexpr std::array<const char*, 6> kKinds{"true or false", "an integer", "a number", "text", "a list", "a table"};
  return kKinds[node.value.index()];
}

std::string listed(std::span<const std::string_view> words) {
  std::string text;
  for (const auto word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

/// word: what was written instead, null if it is not text.
std::string invalid(const std::string& what, const std::string* word, const std::string& examples) {
  const std::string form = "a whole number and a unit in quotes, like " + examples;
  return word == nullptr ? "must be a " + what + ": " + form
                         : "invalid " + what + " " + in_quotes(*word) + "; use " + form;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours; case does not count.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string in_quotes(std::string_view word) {
  return "\"" + std::string(word) + "\"";
}

bool Settings::has(const std::string& key) {
  return find(key) != nullptr;
}

const ConfigNode* Settings::find(const std::string& key) {
  known_.insert(key);
  return table_->find(key);
}

const ConfigNode* Settings::node(const std::string& key) {
  return find(key);
}

std::string Settings::text(const std::string& key, const std::string& default_value) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return default_value;
  const auto* text = std::get_if<std::string>(&node->value);
  if (text == nullptr) {
    problem(key, "must be text in quotes, not " + kind_of(*node));
    return default_value;
  }
  if (text->find('\0') != std::string::npos) {
    problem(key, "must not contain a NUL character");
    return default_value;
  }
  return *text;
}

std::string Settings::required_text(const std::string& key, std::string_view right) {
  if (!has(key)) {
    problem(key, "is missing: " + std::string(right));
    return {};
  }
  const std::size_t problems_before = problems_->size();
  std::string value = text(key, "");
  if (value.empty() && problems_->size() == problems_before) problem(key, "must not be empty");
  return value;
}

bool Settings::flag(const std::string& key, bool default_value) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return default_value;
  if (const auto* flag = std::get_if<bool>(&node->value)) return *flag;
  problem(key, "must be true or false, without quotes");
  return default_value;
}

std::optional<std::int64_t> Settings::optional_integer(const std::string& key, std::int64_t min, std::int64_t max) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* integer = std::get_if<std::int64_t>(&node->value);
  if (integer == nullptr) {
    problem(key, "must be an integer, not " + kind_of(*node));
    return std::nullopt;
  }
  if (*integer < min) {
    problem(key, "must be at least " + std::to_string(min) + ", not " + std::to_string(*integer));
    return std::nullopt;
  }
  if (*integer > max) {
    problem(key, "must be at most " + std::to_string(max) + ", not " + std::to_string(*integer));
    return std::nullopt;
  }
  return *integer;
}

std::int64_t Settings::integer(const std::string& key, std::int64_t default_value, std::int64_t min, std::int64_t max) {
  return optional_integer(key, min, max).value_or(default_value);
}

std::optional<double> Settings::optional_number(const std::string& key) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* integer = std::get_if<std::int64_t>(&node->value)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&node->value)) {
    if (std::isfinite(*number)) return *number;
    problem(key, "must be a finite number");
    return std::nullopt;
  }
  problem(key, "must be a number, not " + kind_of(*node));
  return std::nullopt;
}

double Settings::number(const std::string& key, double default_value) {
  return optional_number(key).value_or(default_value);
}

Duration Settings::duration(const std::string& key, Duration default_value, Duration min, Duration max) {
  const auto value = optional_duration(key, min);
  if (!value) return default_value;
  if (*value > max) {
    problem(key, "must be at most " + in_quotes(text_with_unit(max.count(), kTimeUnits)) + ", not " +
                     in_quotes(text(key, "")));
    return default_value;
  }
  return *value;
}

std::optional<Duration> Settings::optional_duration(const std::string& key, Duration min) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* text = std::get_if<std::string>(&node->value);
  const auto value = text == nullptr ? std::nullopt : parse_duration(*text);
  if (!value) {
    problem(key, invalid("duration", text, R"("250ms", "5s", "10m", "2h" or "30d")"));
    return std::nullopt;
  }
  if (*value < min) {
    problem(key,
            "must be at least " + in_quotes(text_with_unit(min.count(), kTimeUnits)) + ", not " + in_quotes(*text));
    return std::nullopt;
  }
  return value;
}

std::uint64_t Settings::size_bytes(const std::string& key, std::uint64_t default_value, std::uint64_t min) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return default_value;
  const auto* text = std::get_if<std::string>(&node->value);
  const auto value = text == nullptr ? std::nullopt : parse_size(*text);
  if (!value) {
    problem(key, invalid("size", text, R"("512B", "64KiB", "256MiB" or "1GiB")"));
    return default_value;
  }
  if (*value < min) {
    const auto least = static_cast<std::int64_t>(min);
    problem(key, "must be at least " + in_quotes(text_with_unit(least, kSizeUnits)) + ", not " + in_quotes(*text));
    return default_value;
  }
  return *value;
}

std::vector<std::string> Settings::texts(const std::string& key, std::vector<std::string> default_value) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return default_value;
  const auto* array = std::get_if<ConfigArray>(&node->value);
  if (array == nullptr) {
    problem(key, "must be a list of texts, like [\"...\"]");
    return default_value;
  }
  std::vector<std::string> result;
  for (const auto& element : *array) {
    const auto* text = std::get_if<std::string>(&element.value);
    if (text == nullptr || text->find('\0') != std::string::npos) {
      problems_->push_back(
          {element.place, key + ": each element must be text in quotes" +
                              (text == nullptr ? ", not " + kind_of(element) : " without NUL characters")});
      return default_value;
    }
    result.push_back(*text);
  }
  return result;
}

Settings Settings::table(const std::string& key) {
  const std::string path = path_.empty() ? key : path_ + "." + key;
  const ConfigNode* node = find(key);
  if (node != nullptr && std::holds_alternative<ConfigTable>(node->value)) return Settings(*node, path, *problems_);
  if (node != nullptr) problem(key, "must be a table, [" + path + "], not " + kind_of(*node));
  auto empty = std::make_shared<ConfigNode>();
  empty->place = table_->place;
  empty->value = ConfigTable{};
  Settings settings(*empty, path, *problems_);
  settings.empty_ = std::move(empty);
  return settings;
}

std::vector<Settings> Settings::tables(const std::string& key) {
  const std::string path = path_.empty() ? key : path_ + "." + key;
  const ConfigNode* node = find(key);
  std::vector<Settings> result;
  if (node == nullptr) return result;
  const auto* array = std::get_if<ConfigArray>(&node->value);
  if (array == nullptr) {
    problem(key, "must be written [[" + path + "]]: there can be several");
    return result;
  }
  for (const auto& element : *array) {
    if (std::holds_alternative<ConfigTable>(element.value)) {
      result.emplace_back(element, path, *problems_);
    } else {
      problems_->push_back({element.place, key + ": each element must be a table, [[" + path + "]]"});
    }
  }
  return result;
}

void Settings::problem(const std::string& key, const std::string& what) {
  report(key, what, false);
}
void Settings::warning(const std::string& key, const std::string& what) {
  report(key, what, true);
}

void Settings::report(const std::string& key, const std::string& what, bool warning) {
  const ConfigNode* node = key.empty() ? nullptr : find(key);
  const std::string table_name = path_.empty() ? "" : "[" + path_ + "] ";
  const std::string subject = node == nullptr ? table_name + key : key;
  const bool named = !subject.empty() && subject.back() != ' ';
  problems_->push_back({node == nullptr ? table_->place : node->place, subject + (named ? ": " : "") + what, warning});
}

void Settings::not_a_choice(const std::string& key, const std::string& word, std::span<const std::string_view> known) {
  const ConfigNode* node = find(key);
  if (node == nullptr || !std::holds_alternative<std::string>(node->value)) return;  // reported by text()
  const std::string near = nearest(word, known);
  problem(key, "must be one of " + listed(known) + ", not " + in_quotes(word) +
                   (near.empty() ? std::string() : "; did you mean " + in_quotes(near) + "?"));
}

void Settings::finish() {
  const auto* entries = std::get_if<ConfigTable>(&table_->value);
  if (entries == nullptr) return;
  const std::vector<std::string_view> known(known_.begin(), known_.end());
  for (const auto& [key, node] : *entries) {
    if (known_.contains(key)) continue;
    const std::string where = path_.empty() ? "there is no key " : "[" + path_ + "] has no key ";
    const std::string near = nearest(key, known);
    std::string hint;
    if (!near.empty()) {
      hint = "; did you mean " + in_quotes(near) + "?";
    } else if (!known.empty()) {
      hint = "; known are " + listed(known);
    }
    problems_->push_back({node.key, where + in_quotes(key) + hint});
    known_.insert(key);
  }
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto ns = text.empty() ? std::nullopt : parse_with_unit(text, kTimeUnits);
  if (!ns) return std::nullopt;
  return Duration(*ns);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto bytes = text.empty() ? std::nullopt : parse_with_unit(text, kSizeUnits);
  if (!bytes) return std::nullopt;
  return static_cast<std::uint64_t>(*bytes);
}

std::string nearest(std::string_view word, std::span<const std::string_view> known) {
  constexpr std::size_t kShortestPrefix = 3;
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::size_t best_edits = 0;
  for (const auto candidate : known) {
    const std::size_t edits = distance(word, candidate);
    const std::size_t common = std::min(word.size(), candidate.size());
    const bool begins_alike = common >= kShortestPrefix && word.substr(0, common) == candidate.substr(0, common);
    const std::size_t d = begins_alike ? std::min<std::size_t>(edits, 1) : edits;  // "baudrate" for "baud"
    if (d < best_distance || (!best.empty() && d == best_distance && edits < best_edits)) {
      best = candidate;
      best_distance = d;
      best_edits = edits;
    }
  }
  return std::string(best);
}

bool valid_id(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !id.empty() && id.size() <= kMaxIdLength && std::all_of(id.begin(), id.end(), allowed);
}

}  // namespace baudbridge
