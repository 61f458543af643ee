#include "core/settings.h"

#include <array>
#include <string>
#include <vector>

#include "support/catch.h"

using namespace baudbridge;
using namespace std::chrono_literals;

namespace {

/// A document, its problems, and a view of its root table.
struct Document {
  explicit Document(const std::string& text) : root(parse_toml(text, "plant.toml", problems)) {}
  Settings settings(const std::string& path = "") { return Settings(root, path, problems); }
  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> texts;
    for (const auto& problem : problems) texts.push_back(problem.text());
    return texts;
  }
  std::vector<Problem> problems;
  ConfigNode root;
};

using Texts = std::vector<std::string>;

enum class Parity { none, even, odd };
const Names<Parity> kParity{{"none", Parity::none}, {"even", Parity::even}, {"odd", Parity::odd}};

}  // namespace

TEST_CASE("a key that is there is read, one that is not gives the default") {
  Document document("a = 'x'\nb = true\nc = -3\nd = 2\ne = 2.5\nf = ['p', 'q']\n");
  auto settings = document.settings();
  CHECK(settings.text("a", "?") == "x");
  CHECK(settings.flag("b", false));
  CHECK(settings.integer("c", 0) == -3);
  CHECK(settings.number("d", 0) == 2.0);
  CHECK(settings.number("e", 0) == 2.5);
  CHECK(settings.texts("f", {}) == Texts{"p", "q"});
  CHECK(settings.text("missing", "?") == "?");
  CHECK(settings.flag("missing", true));
  CHECK(settings.integer("missing", 7) == 7);
  CHECK_FALSE(settings.optional_number("missing"));
  CHECK_FALSE(settings.optional_integer("missing"));
  CHECK_FALSE(settings.optional_duration("missing"));
  CHECK(settings.has("a"));
  CHECK_FALSE(settings.has("missing"));
  settings.finish();
  CHECK(document.texts().empty());
}

TEST_CASE("an unknown key is reported at the key, with the nearest known one") {
  Document document("\n  evry = '1s'\n");
  auto settings = document.settings("device");
  (void)settings.duration("every", 1s);
  (void)settings.text("bus", "");
  settings.finish();
  CHECK(document.texts() == Texts{"plant.toml:2:3: [device] has no key \"evry\"; did you mean \"every\"?"});
}

TEST_CASE("an unknown key that is near to nothing is reported with all that are known") {
  Document document("zzzzzz = 1\n");
  auto settings = document.settings();
  (void)settings.text("bus", "");
  (void)settings.text("address", "");
  settings.finish();
  CHECK(document.texts() == Texts{"plant.toml:1:1: there is no key \"zzzzzz\"; known are address, bus"});
}

TEST_CASE("a value of the wrong kind is reported at the value, and the default stands") {
  Document document(
      "text = 5\nflag = 'true'\ninteger = 1.0\nnumber = 'x'\nlist = 'x'\nlist2 = ['a', 1]\nduration = 5\n"
      "size = '5'\n");
  auto settings = document.settings();
  CHECK(settings.text("text", "default") == "default");
  CHECK(settings.flag("flag", false) == false);
  CHECK(settings.integer("integer", 3) == 3);
  CHECK(settings.number("number", 1.5) == 1.5);
  CHECK(settings.texts("list", {"d"}) == Texts{"d"});
  CHECK(settings.texts("list2", {"d"}) == Texts{"d"});
  CHECK(settings.duration("duration", 3s) == 3s);
  CHECK(settings.size_bytes("size", 9) == 9);
  const std::string durations =
      "must be a duration: a whole number and a unit in quotes, like \"250ms\", \"5s\", \"10m\", \"2h\" or \"30d\"";
  const std::string sizes =
      "invalid size \"5\"; use a whole number and a unit in quotes, like \"512B\", \"64KiB\", \"256MiB\" or \"1GiB\"";
  CHECK(document.texts() == Texts{
                                "plant.toml:1:8: text: must be text in quotes, not an integer",
                                "plant.toml:2:8: flag: must be true or false, without quotes",
                                "plant.toml:3:11: integer: must be an integer, not a number",
                                "plant.toml:4:10: number: must be a number, not text",
                                "plant.toml:5:8: list: must be a list of texts, like [\"...\"]",
                                "plant.toml:6:15: list2: each element must be text in quotes, not an integer",
                                "plant.toml:7:12: duration: " + durations,
                                "plant.toml:8:8: size: " + sizes,
                            });
}

TEST_CASE("an invalid choice is reported with the valid words and the nearest") {
  Document document("parity = 'evn'\nother = 4\nright = 'odd'\n");
  auto settings = document.settings();
  CHECK(settings.choice("parity", kParity, Parity::none) == Parity::none);
  CHECK(settings.choice("other", kParity, Parity::even) == Parity::even);
  CHECK(settings.choice("right", kParity, Parity::none) == Parity::odd);
  CHECK(settings.choice("missing", kParity, Parity::even) == Parity::even);
  CHECK(document.texts() ==
        Texts{"plant.toml:1:10: parity: must be one of none, even, odd, not \"evn\"; did you mean \"even\"?",
              "plant.toml:2:9: other: must be text in quotes, not an integer"});
}

TEST_CASE("a value out of bounds is reported with the bound") {
  Document document("a = 0\nb = 248\nc = '1ms'\nd = '3d'\ne = '1KiB'\n");
  auto settings = document.settings();
  CHECK(settings.integer("a", 1, 1, 247) == 1);
  CHECK(settings.integer("b", 1, 1, 247) == 1);
  CHECK(settings.duration("c", 1s, 100ms) == 1s);
  CHECK(settings.duration("d", 1s, 100ms, 48h) == 1s);
  CHECK(settings.size_bytes("e", 7, 256U << 10U) == 7);
  CHECK(document.texts() == Texts{"plant.toml:1:5: a: must be at least 1, not 0",
                                  "plant.toml:2:5: b: must be at most 247, not 248",
                                  "plant.toml:3:5: c: must be at least \"100ms\", not \"1ms\"",
                                  "plant.toml:4:5: d: must be at most \"2d\", not \"3d\"",
                                  "plant.toml:5:5: e: must be at least \"256KiB\", not \"1KiB\""});
}

TEST_CASE("a required text that is missing is reported at the table, an empty one at its value") {
  Document document("[[bus]]\nid = ''\n");
  auto settings = document.settings();
  auto buses = settings.tables("bus");
  REQUIRE(buses.size() == 1);
  CHECK(buses[0].required_text("id", "a name").empty());
  CHECK(buses[0].required_text("adapter", "one of a, b").empty());
  CHECK(document.texts() ==
        Texts{"plant.toml:2:6: id: must not be empty", "plant.toml:1:1: [bus] adapter: is missing: one of a, b"});
}

TEST_CASE("a NUL in a text is refused, since file names and topics cannot hold one") {
  Document document("a = \"x\\u0000y\"\nb = [\"\\u0000\"]\n");
  auto settings = document.settings();
  CHECK(settings.text("a", "d") == "d");
  CHECK(settings.texts("b", {"d"}) == Texts{"d"});
  CHECK(document.problems.size() == 2);
}

TEST_CASE("tables within tables have their path, and a missing one is an empty one at its parent's place") {
  Document document("[a]\nx = 1\n[a.b]\ny = 1\n[[c]]\n[[c]]\nz = 1\n");
  auto settings = document.settings();
  auto a = settings.table("a");
  (void)a.integer("x", 0);
  auto b = a.table("b");
  CHECK(b.path() == "a.b");
  b.finish();
  a.finish();
  CHECK(settings.tables("c").size() == 2);
  auto missing = a.table("none");
  missing.problem("key", "is needed");
  settings.finish();
  CHECK(document.texts() == Texts{"plant.toml:4:1: [a.b] has no key \"y\"", "plant.toml:1:1: [a.none] key: is needed"});
}

TEST_CASE("a table where a list of tables should be is reported, and vice versa") {
  Document document("[bus]\nid = 'x'\n[[broker]]\nqos = 1\n");
  auto settings = document.settings();
  CHECK(settings.tables("bus").empty());
  CHECK_FALSE(settings.table("broker").has("qos"));
  CHECK(document.texts() == Texts{"plant.toml:1:1: bus: must be written [[bus]]: there can be several",
                                  "plant.toml:3:1: broker: must be a table, [broker], not a list"});
}

TEST_CASE("a warning is reported as one") {
  Document document("a = 1\n");
  auto settings = document.settings();
  settings.warning("a", "is odd");
  CHECK(document.texts() == Texts{"plant.toml:1:5: warning: a: is odd"});
}

TEST_CASE("durations are whole numbers with a unit") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("5s") == 5s);
  CHECK(parse_duration("10m") == 10min);
  CHECK(parse_duration("2h") == 2h);
  CHECK(parse_duration("30d") == 720h);
  CHECK(parse_duration("0s") == 0s);
  CHECK(parse_duration("106751d") == 106751 * 24h);
  for (const char* wrong : {"", "5", "s", "5 s", " 5s", "5s ", "-5s", "+5s", "1.5s", "5S", "5sec", "1h30m", "0x5s",
                            "106752d", "99999999999999999999s"}) {
    INFO(wrong);
    CHECK_FALSE(parse_duration(wrong));
  }
}

TEST_CASE("sizes are whole numbers with a binary unit") {
  CHECK(parse_size("512B") == 512U);
  CHECK(parse_size("64KiB") == 65536U);
  CHECK(parse_size("256MiB") == 256U << 20U);
  CHECK(parse_size("1GiB") == 1U << 30U);
  CHECK(parse_size("2TiB") == 2ULL << 40U);
  for (const char* wrong : {"", "5", "KiB", "5KB", "5kib", "-1B", "1.5MiB", "8388608TiB", "99999999999999999999B"}) {
    INFO(wrong);
    CHECK_FALSE(parse_size(wrong));
  }
}

TEST_CASE("the nearest word is found for slips of the fingers, and none for another word") {
  constexpr std::array<std::string_view, 6> kKnown{"baud", "parity", "stop_bits", "timeout", "retries", "id"};
  CHECK(nearest("buad", kKnown) == "baud");      // swapped
  CHECK(nearest("Parity", kKnown) == "parity");  // case
  CHECK(nearest("stopbits", kKnown) == "stop_bits");
  CHECK(nearest("timout", kKnown) == "timeout");  // left out
  CHECK(nearest("baudrate", kKnown) == "baud");   // more of it
  CHECK(nearest("ids", kKnown) == "id");
  CHECK(nearest("colour", kKnown).empty());
  CHECK(nearest("", kKnown).empty());
  CHECK(nearest("x", {}).empty());
}

TEST_CASE("an id has 1 to 64 letters, digits, underscores and hyphens") {
  CHECK(valid_id("boiler"));
  CHECK(valid_id("A-z_09"));
  CHECK(valid_id(std::string(64, 'a')));
  for (const std::string wrong : {"", "a b", "a/b", "a+b", "a#b", "é", "a.b"}) CHECK_FALSE(valid_id(wrong));
  CHECK_FALSE(valid_id(std::string(65, 'a')));
  CHECK_FALSE(valid_id(std::string("a\0b", 3)));
}
