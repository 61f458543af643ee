#pragma once
// A TOML document as plain data; every node has its file, line and column.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"

namespace baudbridge {

/// Where something stands in a configuration. line and column count from 1; 0: no particular place.
struct Place {
  std::shared_ptr<const std::string> file;
  int line = 0;
  int column = 0;
};

/// One thing wrong with a configuration: "file:line:column: what is wrong, and what would be right".
struct Problem {
  Place place;
  std::string what;
  bool warning = false;
  [[nodiscard]] std::string text() const;
};

struct ConfigNode;
using ConfigArray = std::vector<ConfigNode>;
using ConfigTable = std::vector<std::pair<std::string, ConfigNode>>;  ///< in the order of the file

struct ConfigNode {
  Place place;  ///< of the value
  Place key;    ///< of its key, where it has one
  std::variant<bool, std::int64_t, double, std::string, ConfigArray, ConfigTable> value;

  [[nodiscard]] const ConfigNode* find(const std::string& name) const;  ///< null if this is no table or has no such key
};

// A node holds pairs that hold nodes. clang 14 rejects a file that uses the pair before the node is complete.
static_assert(noexcept(ConfigNode{}) || true);

/// Reads and parses a TOML file. Problems (unreadable, not TOML) are added to `problems`; the node is then an empty
/// table.
ConfigNode load_toml(const std::string& path, std::vector<Problem>& problems);
/// The same from text; `name` stands for the file in messages.
ConfigNode parse_toml(const std::string& text, const std::string& name, std::vector<Problem>& problems);

/// A basic string of TOML 1.0, in its quotes, for configurations that we write.
[[nodiscard]] std::string toml_string(std::string_view text);

/// Lays `over` on top of `base`, key by key (tables merge, everything else is replaced).
ConfigNode merged(const ConfigNode& base, const ConfigNode& over);

}  // namespace baudbridge
