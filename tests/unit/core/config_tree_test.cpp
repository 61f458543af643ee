#include "core/config_tree.h"

#include <string>
#include <vector>

#include "support/catch.h"

using namespace baudbridge;

namespace {

std::vector<std::string> keys_of(const ConfigNode& node) {
  std::vector<std::string> keys;
  for (const auto& entry : std::get<ConfigTable>(node.value)) keys.push_back(entry.first);
  return keys;
}

std::string only_problem(const std::string& text) {
  std::vector<Problem> problems;
  (void)parse_toml(text, "f.toml", problems);
  REQUIRE(problems.size() == 1);
  return problems[0].text();
}

}  // namespace

TEST_CASE("every value of a document is read with the place it stands at") {
  std::vector<Problem> problems;
  const ConfigNode root =
      parse_toml("a = 1\n  b   =   'two'\n[t]\nc = 0.5 # comment\n\td = [true,  7]\n", "f.toml", problems);
  REQUIRE(problems.empty());
  CHECK(std::get<std::int64_t>(root.find("a")->value) == 1);
  const ConfigNode* b = root.find("b");
  CHECK(std::get<std::string>(b->value) == "two");
  CHECK(*b->place.file == "f.toml");
  CHECK(b->key.line == 2);
  CHECK(b->key.column == 3);
  CHECK(b->place.line == 2);
  CHECK(b->place.column == 11);
  const ConfigNode* t = root.find("t");
  CHECK(std::get<double>(t->find("c")->value) == 0.5);
  const ConfigNode* d = t->find("d");
  CHECK(d->key.column == 2);  // a tab is one column
  const auto& elements = std::get<ConfigArray>(d->value);
  CHECK(std::get<bool>(elements[0].value));
  CHECK(elements[1].place.line == 5);
  CHECK(elements[1].place.column == 14);
  CHECK(root.find("none") == nullptr);
  CHECK(b->find("none") == nullptr);
}

TEST_CASE("columns count characters, not bytes") {
  CHECK(only_problem("'ä€' = nan\n") == "f.toml:1:8: is not a finite number");
}

TEST_CASE("keys stay in the order of the file") {
  std::vector<Problem> problems;
  const ConfigNode root = parse_toml("z = 1\na = 1\nm = { y = 1, b = 2 }\n", "f.toml", problems);
  CHECK(keys_of(root) == std::vector<std::string>{"z", "a", "m"});
  CHECK(keys_of(*root.find("m")) == std::vector<std::string>{"y", "b"});
}

TEST_CASE("what is not TOML is reported at its line and column, and gives an empty table") {
  std::vector<Problem> problems;
  const ConfigNode root = parse_toml("good = 1\nbad = \n", "f.toml", problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].place.line == 2);
  CHECK(*problems[0].place.file == "f.toml");
  CHECK(keys_of(root).empty());
}

TEST_CASE("a key that stands twice is a problem") {
  CHECK_THAT(only_problem("a = 1\na = 2\n"), ContainsSubstring("f.toml:2:"));
}

TEST_CASE("infinities, NaN and dates are problems, all reported at once") {
  std::vector<Problem> problems;
  (void)parse_toml("a = nan\nb = -inf\nc = 2026-01-01\nd = 07:30:00\n", "f.toml", problems);
  REQUIRE(problems.size() == 4);
  CHECK(problems[1].text() == "f.toml:2:5: is not a finite number");
  CHECK_THAT(problems[2].text(), ContainsSubstring("f.toml:3:5: a date or time means nothing here"));
}

TEST_CASE("damaged documents are problems, never the end of the program") {
  for (const std::string text :
       {"[,]", "[=]", "=", "[[", "a = [1,", "a = \"", "\xFF\xFE", "a = '\x01'", "a.b.c", "{", "a = 1e999"}) {
    INFO(text);
    std::vector<Problem> problems;
    (void)parse_toml(text, "f.toml", problems);
    CHECK_FALSE(problems.empty());
  }
  std::vector<Problem> problems;
  (void)parse_toml(std::string("a = 1\0", 6), "f.toml", problems);
  CHECK_FALSE(problems.empty());
}

TEST_CASE("a document nested without end is refused") {
  std::string text = "a = ";
  for (int i = 0; i < 200; ++i) text += "[";
  for (int i = 0; i < 200; ++i) text += "]";
  std::vector<Problem> problems;
  (void)parse_toml(text, "f.toml", problems);
  CHECK_FALSE(problems.empty());
}

TEST_CASE("a file that cannot be read is a problem of that file") {
  std::vector<Problem> problems;
  const ConfigNode root = load_toml("/nonexistent/f.toml", problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].text() == "/nonexistent/f.toml: cannot be read: No such file or directory");
  CHECK(keys_of(root).empty());
  CHECK(*root.place.file == "/nonexistent/f.toml");
  problems.clear();
  (void)load_toml("/", problems);
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0].text(), ContainsSubstring("/: cannot be read"));
}

TEST_CASE("laying one table over another merges tables and replaces everything else") {
  std::vector<Problem> problems;
  const ConfigNode base = parse_toml("a = 1\nb = 2\nl = [1, 2]\n[t]\nx = 1\ny = 2\n", "base.toml", problems);
  const ConfigNode over = parse_toml("b = 3\nl = [9]\nn = 4\n[t]\ny = 5\n", "over.toml", problems);
  const ConfigNode both = merged(base, over);
  CHECK(keys_of(both) == std::vector<std::string>{"a", "b", "l", "t", "n"});
  CHECK(std::get<std::int64_t>(both.find("a")->value) == 1);
  CHECK(std::get<std::int64_t>(both.find("b")->value) == 3);
  CHECK(*both.find("a")->place.file == "base.toml");
  CHECK(*both.find("b")->place.file == "over.toml");
  CHECK(std::get<ConfigArray>(both.find("l")->value).size() == 1);
  CHECK(std::get<std::int64_t>(both.find("t")->find("x")->value) == 1);
  CHECK(std::get<std::int64_t>(both.find("t")->find("y")->value) == 5);
}

TEST_CASE("a key of endless parts is a problem at its line, not a crash") {
  std::string key = "x = 1\nbroker";
  for (int i = 0; i < 100'000; ++i) key += ".a";
  std::vector<Problem> problems;
  parse_toml(key + " = 1\n", "f.toml", problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].place.line == 2);
}

TEST_CASE("a text that is written as a TOML string is read as the same text") {
  for (const std::string text :
       {"", "/dev/ttyUSB0", "a \"name\" with \\", "two\nlines\tand \x7f and \x01", "Grad \u00b0C"}) {
    INFO(text);
    std::vector<Problem> problems;
    const ConfigNode root = parse_toml("key = " + toml_string(text), "test", problems);
    CHECK(problems.empty());
    const ConfigNode* const found = root.find("key");
    REQUIRE(found != nullptr);
    CHECK(std::get<std::string>(found->value) == text);
  }
}
