#pragma once
// Text for people at a terminal.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baudbridge {

/// The text without control sequences for a terminal: control characters become "?". Text of devices and brokers
/// goes through here.
[[nodiscard]] std::string printable(std::string_view text);
/// How many places it takes (code points; good enough for what is printed here).
[[nodiscard]] std::size_t text_width(std::string_view text);
/// Cut to at most `width` places, with "…" where something is missing.
[[nodiscard]] std::string cut_to(std::string_view text, std::size_t width);
/// "1.4 MiB"
[[nodiscard]] std::string size_text(std::uint64_t bytes);

/// Columns of text, each as wide as its widest cell, two spaces apart.
class TextTable {
 public:
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// Without trailing spaces and line ends.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace baudbridge
