#include "adapters/modbus/scan/search_order.h"

#include <numeric>

#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::scan;
using namespace std::chrono_literals;

namespace {

Candidate made_with(int baud, Parity parity, int unit) {
  Candidate candidate;
  candidate.line = {baud, parity, 1};
  candidate.unit = unit;
  return candidate;
}

std::vector<std::string> texts(const std::vector<LineSetting>& settings) {
  std::vector<std::string> all;
  for (const LineSetting& each : settings) all.push_back(setting_text(each));
  return all;
}

std::vector<int> all_units() {
  std::vector<int> units(247);
  std::iota(units.begin(), units.end(), 1);
  return units;
}

}  // namespace

TEST_CASE("lists of numbers, ranges and parities are read, and each is there once") {
  CHECK(*parse_numbers("9600,19200,9600", "--baud", 50, 12'000'000) == std::vector<int>{9600, 19200});
  CHECK(*parse_ranges("1-3,2,20", "--units", 1, 255) == std::vector<int>{1, 2, 3, 20});
  CHECK(*parse_parities("N,even,o") == std::vector<Parity>{Parity::none, Parity::even, Parity::odd});
}

TEST_CASE("an invalid list is refused, and the message names the piece and the remedy") {
  for (const char* wrong : {"", "9600,", "fast", "9600-19200", "49", "9600.0", " 9600", "99999999999"}) {
    const auto parsed = parse_numbers(wrong, "--baud", 50, 12'000'000);
    INFO(wrong);
    REQUIRE_FALSE(parsed);
    CHECK_THAT(parsed.error().what, ContainsSubstring("--baud: \"") && ContainsSubstring("from 50 to 12000000"));
  }
  for (const char* wrong : {"0-3", "1-256", "5-3", "1-", "-3", "1-2-3", "a"}) {
    INFO(wrong);
    CHECK_FALSE(parse_ranges(wrong, "--units", 1, 255));
  }
  const auto parity = parse_parities("N,X");
  REQUIRE_FALSE(parity);
  CHECK(parity.error().what == "--parity: \"X\" is not N (none), E (even) or O (odd)");
}

TEST_CASE("the likely line settings come first: the usual ones, then the factory settings of known devices") {
  const std::vector<Candidate> known{made_with(2400, Parity::none, 1), made_with(2400, Parity::none, 1),
                                     made_with(4800, Parity::none, 1), made_with(9600, Parity::none, 1)};
  const auto settings = texts(ordered_settings(usual_bauds(), usual_parities(), std::vector<int>{1}, known));
  REQUIRE(settings.size() == usual_bauds().size() * usual_parities().size());
  CHECK(
      std::vector<std::string>(settings.begin(), settings.begin() + 7) ==
      std::vector<std::string>{"9600 8N1", "19200 8E1", "19200 8N1", "9600 8E1", "2400 8N1", "4800 8N1", "115200 8N1"});
  CHECK(settings.back() == "1200 8O1");
}

TEST_CASE("only the requested settings are tried") {
  const auto settings =
      ordered_settings(std::vector<int>{300}, std::vector<Parity>{Parity::odd}, std::vector<int>{2, 1}, {});
  CHECK(texts(settings) == std::vector<std::string>{"300 8O2", "300 8O1"});
}

TEST_CASE("on a line units 1 to 3 and factory settings are likely, over TCP 1, 255 and 0") {
  std::size_t likely = 0;
  const std::vector<Candidate> known{made_with(9600, Parity::none, 30), made_with(9600, Parity::none, 1),
                                     made_with(9600, Parity::none, 254)};
  const auto units = ordered_units(all_units(), false, known, likely);
  REQUIRE(units.size() == 247);
  CHECK(likely == 4);
  CHECK(std::vector<std::uint8_t>(units.begin(), units.begin() + 6) == std::vector<std::uint8_t>{1, 2, 3, 30, 4, 5});
  auto over_tcp = all_units();
  over_tcp.insert(over_tcp.end(), {255, 0});
  const auto tcp_units = ordered_units(over_tcp, true, known, likely);
  CHECK(tcp_units.size() == 249);
  CHECK(likely == 3);
  CHECK(std::vector<std::uint8_t>(tcp_units.begin(), tcp_units.begin() + 4) == std::vector<std::uint8_t>{1, 255, 0, 2});
}

TEST_CASE("units that were not requested are not likely either") {
  std::size_t likely = 0;
  const auto units = ordered_units(std::vector<int>{10, 11, 2}, false, {}, likely);
  CHECK(units == std::vector<std::uint8_t>{2, 10, 11});
  CHECK(likely == 1);
}

TEST_CASE("the duration is estimated from probes, timeout and speed") {
  SearchOrder order;
  order.settings = {{9600, Parity::none, 1}};
  order.units.assign(100, 1);
  order.likely = 10;
  order.timeout = 100ms;
  // 15 characters of 1.0417 ms on the line and 100 ms of silence, for two probes each, and 300 ms more for the last
  // unit of each of four passes.
  CHECK(std::chrono::duration<double>(estimate(order).all).count() == Approx(200 * 0.115625 + 1.2).epsilon(0.001));
  CHECK(estimate(order).likely == Duration::zero());
  order.settings.push_back({9600, Parity::even, 1});
  CHECK(estimate(order).likely > 2 * 10 * 115ms);
  CHECK(estimate(order).all > 2 * 100 * 115ms);
  CHECK(estimate(order).one < estimate(order).all + 3s);
  CHECK(late_timeout(100ms) == 400ms);
  CHECK(late_timeout(1s) == 2s);
  CHECK(late_timeout(5s) == 5s);
  order.serial = false;
  order.settings.resize(1);
  CHECK(estimate(order).all == 200 * 100ms + 1200ms);
}
