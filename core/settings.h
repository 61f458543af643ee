#pragma once
// A typed view of one configuration table.
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config_tree.h"
#include "core/time.h"

namespace baudbridge {

/// "word": text from the configuration in a message.
[[nodiscard]] std::string in_quotes(std::string_view word);

/// One name of a choice and what it stands for: {{"none", Parity::none}, {"even", Parity::even}}.
template <class T>
using Names = std::vector<std::pair<std::string_view, T>>;

/// A view of one table of the configuration. Each getter marks its key as known and returns its default after reporting
/// a problem, so that all problems are reported at once; finish() reports the other keys, each with the nearest known one.
/// Threads: one caller. The ConfigNode and the problem list must outlive the view.
class Settings {
 public:
  Settings(const ConfigNode& table, std::string path, std::vector<Problem>& problems)
      : table_(&table), path_(std::move(path)), problems_(&problems) {}

  [[nodiscard]] bool has(const std::string& key);

  std::string text(const std::string& key, const std::string& default_value);
  /// Reports a missing key as a problem, with the remedy: "port: is missing: write port = "/dev/ttyUSB0"".
  std::string required_text(const std::string& key, std::string_view right);
  bool flag(const std::string& key, bool default_value);
  std::int64_t integer(const std::string& key, std::int64_t default_value,
                       std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                       std::int64_t max = std::numeric_limits<std::int64_t>::max());
  std::optional<std::int64_t> optional_integer(const std::string& key,
                                               std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                                               std::int64_t max = std::numeric_limits<std::int64_t>::max());
  /// TOML integers count as numbers; NaN and infinity are problems.
  double number(const std::string& key, double default_value);
  std::optional<double> optional_number(const std::string& key);
  /// "250ms", "5s", "10m", "2h", "30d"
  Duration duration(const std::string& key, Duration default_value, Duration min = Duration::zero(),
                    Duration max = std::chrono::hours(24 * 3660));
  std::optional<Duration> optional_duration(const std::string& key, Duration min = Duration::zero());
  /// "512B", "64KiB", "256MiB", "1GiB"
  std::uint64_t size_bytes(const std::string& key, std::uint64_t default_value, std::uint64_t min = 0);
  std::vector<std::string> texts(const std::string& key, std::vector<std::string> default_value);

  template <class T>
  T choice(const std::string& key, const Names<T>& names, T default_value) {
    const std::string word = text(key, "");
    if (word.empty() && !has(key)) return default_value;
    for (const auto& [name, value] : names) {
      if (name == word) return value;
    }
    std::vector<std::string_view> known;
    for (const auto& entry : names) known.push_back(entry.first);
    not_a_choice(key, word, known);
    return default_value;
  }

  /// The sub-table of that name, or an empty one.
  Settings table(const std::string& key);
  /// The tables of an array of tables ([[key]]).
  std::vector<Settings> tables(const std::string& key);
  /// The raw node, for values of several types (not_available, map, deadband); null if absent. Marks the key as known.
  const ConfigNode* node(const std::string& key);
  [[nodiscard]] const ConfigNode& self() const { return *table_; }

  /// Reports a problem at the key's value (at the table, if there is no such key).
  void problem(const std::string& key, const std::string& what);
  void warning(const std::string& key, const std::string& what);
  /// Reports the keys that no getter has read. Call it last.
  void finish();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::vector<Problem>& problems() { return *problems_; }

 private:
  const ConfigNode* find(const std::string& key);
  void not_a_choice(const std::string& key, const std::string& word, std::span<const std::string_view> known);
  void report(const std::string& key, const std::string& what, bool warning);

  const ConfigNode* table_;
  std::shared_ptr<const ConfigNode> empty_;  ///< table_, where the configuration has no such table
  std::string path_;                         ///< "device.point" for messages
  std::vector<Problem>* problems_;
  std::set<std::string> known_;
};

/// Parses "250ms", "5s", "2h", "30d"; nothing if it is not a duration.
std::optional<Duration> parse_duration(std::string_view text);
/// Parses "64KiB"; nothing if it is not a size.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// The nearest of the known words by edit distance, or empty if none is near.
std::string nearest(std::string_view word, std::span<const std::string_view> known);
/// True for [A-Za-z0-9_-]{1,64}.
bool valid_id(std::string_view id);

}  // namespace baudbridge
