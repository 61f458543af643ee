#include "core/config_tree.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

namespace baudbridge {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxFileBytes = 16U << 20;

/// Turns toml++'s tree into ours; what this program never reads from a file (dates, NaN) is a problem.
class Converter {
 public:
  Converter(std::shared_ptr<const std::string> file, std::vector<Problem>& problems)
      : file_(std::move(file)), problems_(&problems) {}

  [[nodiscard]] Place place(const toml::source_region& region) const {
    return {file_, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
  }

  ConfigNode convert(const toml::node& node, int depth = 0) {
    ConfigNode result;
    result.place = place(node.source());
    if (depth > kMaxDepth) {
      problem(result, "is nested too deeply");
    } else if (const auto* table = node.as_table()) {
      result.value = convert_table(*table, depth);
    } else if (const auto* array = node.as_array()) {
      ConfigArray elements;
      elements.reserve(array->size());
      for (const auto& element : *array) elements.push_back(convert(element, depth + 1));
      result.value = std::move(elements);
    } else {
      convert_scalar(node, result);
    }
    return result;
  }

 private:
  ConfigTable convert_table(const toml::table& table, int depth) {
    ConfigTable entries;
    for (const auto& [key, node] : table) {
      ConfigNode entry = convert(node, depth + 1);
      entry.key = place(key.source());
      entries.emplace_back(std::string(key.str()), std::move(entry));
    }
    const auto position = [](const auto& entry) { return std::pair(entry.second.key.line, entry.second.key.column); };
    std::stable_sort(entries.begin(), entries.end(),
                     [&](const auto& a, const auto& b) { return position(a) < position(b); });
    return entries;
  }

  void convert_scalar(const toml::node& node, ConfigNode& result) {
    if (const auto* text = node.as_string()) {
      result.value = text->get();
    } else if (const auto* integer = node.as_integer()) {
      result.value = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
      result.value = number->get();
      if (!std::isfinite(number->get())) {
        result.value = 1.0;  // makes no other problem
        problem(result, "is not a finite number");
      }
    } else if (const auto* flag = node.as_boolean()) {
      result.value = flag->get();
    } else {
      problem(result, "a date or time means nothing here; if it is meant as text, put it in quotes");
      result.value = std::string();
    }
  }

  void problem(const ConfigNode& node, const std::string& what) { problems_->push_back({node.place, what}); }

  std::shared_ptr<const std::string> file_;
  std::vector<Problem>* problems_;
};

ConfigNode empty_table(const std::shared_ptr<const std::string>& file) {
  ConfigNode node;
  node.place.file = file;
  node.value = ConfigTable{};
  return node;
}

}  // namespace

std::string Problem::text() const {
  std::string where;
  if (place.file) {
    where = *place.file + ":";
    if (place.line > 0) where += std::to_string(place.line) + ":" + std::to_string(place.column) + ":";
    where += " ";
  }
  return where + (warning ? "warning: " : "") + what;
}

const ConfigNode* ConfigNode::find(const std::string& name) const {
  const auto* table = std::get_if<ConfigTable>(&value);
  if (table == nullptr) return nullptr;
  for (const auto& entry : *table) {
    if (entry.first == name) return &entry.second;
  }
  return nullptr;
}

namespace {

/// The line of a key that is nested so deeply that the parser would run out of stack; 0: there is none.
int line_of_endless_key(std::string_view text) {
  constexpr std::ptrdiff_t kMostParts = 1000;
  for (int line = 1; !text.empty(); ++line) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    const std::string_view key = whole.substr(0, whole.find('='));
    if (std::count(key.begin(), key.end(), '.') > kMostParts) return line;
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
  }
  return 0;
}

}  // namespace

ConfigNode parse_toml(const std::string& text, const std::string& name, std::vector<Problem>& problems) {
  const auto file = std::make_shared<const std::string>(name);
  Converter converter(file, problems);
  if (const int line = line_of_endless_key(text); line > 0) {
    problems.push_back({Place{file, line, 1}, "a key of so many parts means nothing here"});
    return empty_table(file);
  }
  try {
    const toml::table document = toml::parse(text, name);
    return converter.convert(document);
  } catch (const toml::parse_error& error) {
    problems.push_back({converter.place(error.source()), std::string(error.description())});
  }
  return empty_table(file);
}

ConfigNode load_toml(const std::string& path, std::vector<Problem>& problems) {
  const auto file = std::make_shared<const std::string>(path);
  const auto refuse = [&](const std::string& what) {
    problems.push_back({Place{file}, what});
    return empty_table(file);
  };
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return refuse(std::string("cannot be read: ") + std::strerror(errno));
  std::string text;
  std::vector<char> block(64U << 10);
  while (stream.read(block.data(), static_cast<std::streamsize>(block.size())) || stream.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(stream.gcount()));
    if (text.size() > kMaxFileBytes) return refuse("is larger than 16 MiB: this is no configuration");
  }
  if (stream.bad()) return refuse(std::string("cannot be read: ") + std::strerror(errno));
  return parse_toml(text, path, problems);
}

std::string toml_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::array<char, sizeof("\\u0000")> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04X", static_cast<unsigned>(c));
      quoted += escape.data();
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

ConfigNode merged(const ConfigNode& base, const ConfigNode& over) {
  const auto* over_table = std::get_if<ConfigTable>(&over.value);
  const auto* base_table = std::get_if<ConfigTable>(&base.value);
  if (over_table == nullptr || base_table == nullptr) return over;
  ConfigNode result = over;
  ConfigTable entries = *base_table;
  for (const auto& [key, node] : *over_table) {
    const auto same =
        std::find_if(entries.begin(), entries.end(), [&name = key](const auto& entry) { return entry.first == name; });
    if (same == entries.end()) {
      entries.emplace_back(key, node);
    } else {
      same->second = merged(same->second, node);
    }
  }
  result.value = std::move(entries);
  return result;
}

}  // namespace baudbridge
