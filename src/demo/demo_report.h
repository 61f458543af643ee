#pragma once
// What the demo shows of the messages that the broker delivered: a line each, and the sums in the end. Pure.
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "src/demo/demo_subscriber.h"

namespace baudbridge::simulation {

/// Threads: one owner.
class DemoReport {
 public:
  enum class Style {
    raw,      ///< topic and payload as they came, like mosquitto_sub -v
    columns,  ///< for people at a terminal: records without their punctuation, cut to the width
    json,     ///< one JSON object a line
  };

  /// base: `[publish] base`, with {gateway} replaced. columns: the terminal's width, for Style::columns.
  DemoReport(std::string base, Style style, std::size_t columns);

  /// The line to print for this message. It is counted, unless it was retained from before.
  [[nodiscard]] std::string line(const Arrival& arrival);
  /// The last lines (for Style::json one line), without the final line end.
  [[nodiscard]] std::string summary() const;

  [[nodiscard]] std::uint64_t records() const;
  /// Devices of which at least one value has arrived.
  [[nodiscard]] std::size_t devices() const;
  [[nodiscard]] bool has_values_of(const std::string& device) const;

 private:
  struct Device {
    std::uint64_t records = 0;
    std::uint64_t values = 0;
    std::uint64_t faults = 0;
  };
  void count(const Arrival& arrival);
  [[nodiscard]] std::uint64_t missing() const;
  [[nodiscard]] std::string summary_text() const;
  [[nodiscard]] std::string summary_json() const;

  std::string base_;
  Style style_;
  std::size_t columns_;
  std::map<std::string, Device> devices_;
  std::set<std::uint64_t> seqs_;
  std::uint64_t twice_ = 0;
};

/// Printable text of at most `columns` characters: control characters become '?', what is cut off becomes "…".
[[nodiscard]] std::string fitted(const std::string& text, std::size_t columns);

}  // namespace baudbridge::simulation
