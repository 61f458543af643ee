// Rules for every file: length and form; the documentation names every key that the program accepts.
#include <set>

#include "support/catch.h"
#include "unit/structure/source_tree.h"

using namespace baudbridge::testing;

namespace {

constexpr std::size_t kLongest = 400;
const std::vector<std::string> kCode{"core", "offline_queue", "bridge", "adapters", "src", "tests", "bench"};

std::vector<SourceFile> pages() {
  std::vector<SourceFile> files = files_of({"docs", "adapters", "offline_queue", "bench", "tests"}, {".md"});
  const std::filesystem::path root = SOURCE_DIR;
  for (const char* name : {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}) {
    if (std::filesystem::exists(root / name)) files.push_back(read_source(root, root / name));
  }
  return files;
}

/// The keys that a parser asks its Settings for.
std::set<std::string> keys_in(const std::string& text) {
  static const std::regex pattern(
      R"((?:\.|->)(?:text|required_text|flag|integer|optional_integer|number|optional_number|duration|optional_duration|)"
      R"(size_bytes|texts|choice|table|tables|node)\(\s*"([a-z][a-z0-9_]*)\")");
  std::set<std::string> keys;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    keys.insert((*match)[1]);
  }
  return keys;
}

bool names_word(const std::string& text, const std::string& word) {
  const auto part_of_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const bool begins = at == 0 || !part_of_word(text[at - 1]);
    const std::size_t end = at + word.size();
    if (begins && (end == text.size() || !part_of_word(text[end]))) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("no source file is longer than 400 lines") {
  for (const SourceFile& file : files_of(kCode, {".h", ".cpp"})) {
    INFO(file.path);
    CHECK(file.lines.size() <= kLongest);
  }
}

TEST_CASE("every header can be included twice, and no file has tabs or blanks at a line's end") {
  for (const SourceFile& file : files_of(kCode, {".h", ".cpp"})) {
    INFO(file.path);
    if (file.header() && !file.path.ends_with("baudbridge_adapter.h")) {  // a C header for others may guard itself
      CHECK(file.text.find("#pragma once") != std::string::npos);
    }
    CHECK(file.text.find('\t') == std::string::npos);
    CHECK(file.text.find(" \n") == std::string::npos);
    CHECK((file.text.empty() || file.text.back() == '\n'));
  }
}

TEST_CASE("unit tests neither sleep nor open sockets") {
  for (const SourceFile& file : files_of({"tests/unit"}, {".h", ".cpp"})) {
    if (file.path.starts_with("tests/unit/structure/")) continue;  // it names them
    INFO(file.path);
    for (const char* word : {"sleep_for", "sleep_until", "usleep", "<sys/socket.h>", "support/process.h"}) {
      CHECK(file.text.find(word) == std::string::npos);
    }
  }
}

TEST_CASE("the documentation names every configuration key that the parsers accept") {
  std::string documentation;
  for (const SourceFile& page : pages()) {
    if (page.path.starts_with("docs/") || page.path == "README.md" || page.path == "adapters/README.md") {
      documentation += page.text;
    }
  }
  std::size_t known = 0;
  for (const SourceFile& file : files_of({"bridge", "adapters", "offline_queue", "src"}, {".cpp"})) {
    if (!names_word(file.text, "Settings")) continue;
    for (const std::string& key : keys_in(file.text)) {
      ++known;
      INFO(file.path << " asks for " << key);
      CHECK(names_word(documentation, key));
    }
  }
  CHECK(known > 60);  // the expression above still finds them
}

TEST_CASE("links between the pages have a target") {
  static const std::regex pattern(R"(\]\(([^)#:]+)(?:#[^)]*)?\))");
  for (const SourceFile& page : pages()) {
    const std::filesystem::path folder = (std::filesystem::path(SOURCE_DIR) / page.path).parent_path();
    for (std::sregex_iterator match(page.text.begin(), page.text.end(), pattern), end; match != end; ++match) {
      INFO(page.path << " links to " << (*match)[1]);
      CHECK(std::filesystem::exists(folder / (*match)[1].str()));
    }
  }
}
