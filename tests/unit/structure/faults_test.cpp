// docs/faults.md names the faults by number; the tests of a fault carry its number at the end of their titles.
#include <map>
#include <set>

#include "support/catch.h"
#include "unit/structure/source_tree.h"

using namespace baudbridge::testing;

namespace {

using Numbers = std::set<int>;

/// "(48, 49)" at the end of a title.
struct Title {
  std::string text;
  std::string numbers;  ///< "48, 49"; empty: none
};

Title title_of(const std::string& text) {
  static const std::regex pattern(R"(\(([0-9]+(?:, [0-9]+)*)\)$)");
  std::smatch match;
  return {text, std::regex_search(text, match, pattern) ? match[1].str() : ""};
}

Numbers numbers_in(const std::string& text) {
  static const std::regex pattern("[0-9]+");
  Numbers numbers;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    numbers.insert(std::stoi(match->str()));
  }
  return numbers;
}

/// The titles of a file's tests, their pieces put together as the compiler does.
std::vector<Title> titles_in(const std::string& text) {
  static const std::regex start(R"(TEST_CASE\(\s*)");
  std::vector<Title> titles;
  for (std::sregex_iterator match(text.begin(), text.end(), start), end; match != end; ++match) {
    std::string title;
    auto at = static_cast<std::size_t>(match->position() + match->length());
    while (at < text.size() && text[at] == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\') ++at;
        title += text[at];
      }
      at = text.find_first_not_of(" \n", at + 1);
    }
    titles.push_back(title_of(title));
  }
  return titles;
}

/// The rows of the page's tables: their cells, without what surrounds them.
std::vector<std::vector<std::string>> rows_of(const SourceFile& page) {
  std::vector<std::vector<std::string>> rows;
  for (const std::string& line : page.lines) {
    if (!line.starts_with("| ")) continue;
    std::vector<std::string> cells;
    std::istringstream parts(line.substr(1));
    for (std::string cell; std::getline(parts, cell, '|');) {
      const auto first = cell.find_first_not_of(' ');
      cells.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') + 1 - first));
    }
    rows.push_back(cells);
  }
  return rows;
}

struct Page {
  Numbers faults;                            ///< of the table of faults
  std::map<std::string, std::string> tests;  ///< title -> numbers, of the table of tests
};

Page page() {
  const std::filesystem::path root = SOURCE_DIR;
  Page found;
  for (const auto& cells : rows_of(read_source(root, root / "docs/faults.md"))) {
    if (cells.size() == 3 && cells[0].find_first_not_of("0123456789") == std::string::npos) {
      found.faults.insert(std::stoi(cells[0]));
    } else if (cells.size() == 4 && cells[1].starts_with('"')) {
      found.tests[cells[1].substr(1, cells[1].size() - 2)] = cells[0];
    }
  }
  return found;
}

}  // namespace

TEST_CASE("every test of a fault is in docs/faults.md, and every test named there exists") {
  const Page known = page();
  REQUIRE(known.faults.size() > 40);
  std::set<std::string> titles;
  for (const SourceFile& file : files_of({"tests"}, {".cpp"})) {
    INFO(file.path);
    for (const Title& title : titles_in(file.text)) {
      titles.insert(title.text);
      if (title.numbers.empty()) continue;
      INFO(title.text);
      const auto row = known.tests.find(title.text);
      CHECK(row != known.tests.end());
      if (row != known.tests.end()) CHECK(row->second == title.numbers);
      CHECK(file.text.find("figure(") != std::string::npos);
      CHECK(file.text.find('"' + title.numbers + '"') != std::string::npos);  // what figure() is given
    }
  }
  for (const auto& [title, numbers] : known.tests) {
    INFO(title);
    CHECK(titles.contains(title));
    CHECK(!title_of(title).numbers.empty());
  }
}

TEST_CASE("every fault of docs/faults.md has a test") {
  const Page known = page();
  Numbers tested;
  for (const auto& [title, numbers] : known.tests) tested.merge(numbers_in(numbers));
  CHECK(tested == known.faults);
}
