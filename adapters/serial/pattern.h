#pragma once
// Regular expressions with named groups (only user of PCRE2).
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace baudbridge {

/// One compiled regular expression, Perl's syntax, on bytes. A match ends after a bounded number of steps, so that
/// no line can hold up the bus.
/// Threads: one caller at a time.
class Pattern {
 public:
  /// Errors: config; the text has the character and the reason.
  static Result<Pattern> compile(const std::string& text);

  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

  /// The groups' texts, [0] is the whole match; a group that took no part is empty. Nothing: no match.
  [[nodiscard]] std::optional<std::vector<std::string_view>> match(std::string_view subject);
  /// The number of a named group (?<name>...).
  [[nodiscard]] std::optional<std::size_t> group(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> group_names() const;

 private:
  struct Compiled;
  explicit Pattern(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace baudbridge
