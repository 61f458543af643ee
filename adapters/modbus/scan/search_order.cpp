#include "adapters/modbus/scan/search_order.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace baudbridge::scan {
namespace {

constexpr int kRequestCharacters = 8;  ///< MODBUS over Serial Line 1.02, section 2.5.1: unit, 5 bytes of PDU, CRC
constexpr double kSilences = 7.0;      ///< twice 3.5 characters
constexpr int kFirstUnits = 3;
constexpr int kLateFactor = 4;
constexpr Duration kLongestLateTimeout = std::chrono::seconds(2);
constexpr int kPasses = 4;     ///< at a setting, at most: likely units and the others, two tables each
constexpr int kQuestions = 2;  ///< functions 3 and 4

std::optional<int> to_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string_view> pieces(std::string_view text) {
  std::vector<std::string_view> all;
  for (;;) {
    const auto comma = text.find(',');
    all.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return all;
    text.remove_prefix(comma + 1);
  }
}

void add_once(std::vector<int>& numbers, int number) {
  if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
}

Error not_a_list(const std::string& what, std::string_view piece, const std::string& wanted) {
  return Error{Fault::config, what + ": \"" + std::string(piece) + "\" is not " + wanted};
}

/// The four settings that most buses have.
int usual_rank(const LineSetting& setting) {
  const LineSetting usual[] = {
      {9600, Parity::none, 1}, {19200, Parity::even, 1}, {19200, Parity::none, 1}, {9600, Parity::even, 1}};
  const auto* found = std::find(std::begin(usual), std::end(usual), setting);
  return static_cast<int>(std::end(usual) - found);
}

std::ptrdiff_t factory_count(const LineSetting& setting, std::span<const Candidate> known) {
  return std::count_if(known.begin(), known.end(), [&](const Candidate& each) { return each.line == setting; });
}

}  // namespace

Result<std::vector<int>> parse_numbers(std::string_view text, const std::string& what, int min, int max) {
  std::vector<int> numbers;
  for (const auto piece : pieces(text)) {
    const auto number = to_number(piece);
    if (!number || *number < min || *number > max) {
      return not_a_list(what, piece, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    }
    add_once(numbers, *number);
  }
  return numbers;
}

Result<std::vector<int>> parse_ranges(std::string_view text, const std::string& what, int min, int max) {
  std::vector<int> numbers;
  for (const auto piece : pieces(text)) {
    const auto dash = piece.find('-');
    const auto low = to_number(piece.substr(0, dash));
    const auto high = dash == std::string_view::npos ? low : to_number(piece.substr(dash + 1));
    if (!low || !high || *low < min || *high > max || *low > *high) {
      return not_a_list(what, piece,
                        "a number or range from " + std::to_string(min) + " to " + std::to_string(max) + ", as 1-10");
    }
    for (int number = *low; number <= *high; ++number) add_once(numbers, number);
  }
  return numbers;
}

Result<std::vector<Parity>> parse_parities(std::string_view text) {
  std::vector<Parity> parities;
  for (const auto piece : pieces(text)) {
    Parity parity = Parity::none;
    if (piece == "E" || piece == "e" || piece == "even") {
      parity = Parity::even;
    } else if (piece == "O" || piece == "o" || piece == "odd") {
      parity = Parity::odd;
    } else if (piece != "N" && piece != "n" && piece != "none") {
      return not_a_list("--parity", piece, "N (none), E (even) or O (odd)");
    }
    if (std::find(parities.begin(), parities.end(), parity) == parities.end()) parities.push_back(parity);
  }
  return parities;
}

std::vector<int> usual_bauds() {
  return {9600, 19200, 115200, 38400, 4800, 2400, 57600, 1200};
}

std::vector<Parity> usual_parities() {
  return {Parity::none, Parity::even, Parity::odd};
}

std::vector<LineSetting> ordered_settings(std::span<const int> bauds, std::span<const Parity> parities,
                                          std::span<const int> stop_bits, std::span<const Candidate> known) {
  std::vector<LineSetting> settings;
  for (const Parity parity : parities) {
    for (const int baud : bauds) {
      for (const int stop : stop_bits) settings.push_back({baud, parity, stop});
    }
  }
  std::stable_sort(settings.begin(), settings.end(), [&](const LineSetting& a, const LineSetting& b) {
    const int usual_a = usual_rank(a);
    const int usual_b = usual_rank(b);
    return usual_a != usual_b ? usual_a > usual_b : factory_count(a, known) > factory_count(b, known);
  });
  return settings;
}

std::vector<std::uint8_t> ordered_units(std::span<const int> units, bool tcp, std::span<const Candidate> known,
                                        std::size_t& likely) {
  std::vector<int> first;
  if (tcp) {
    first = {1, 255, 0};
  } else {
    for (int unit = 1; unit <= kFirstUnits; ++unit) first.push_back(unit);
    for (const Candidate& each : known) add_once(first, each.unit);
  }
  std::vector<std::uint8_t> ordered;
  const auto take = [&](int unit) {
    const auto one = static_cast<std::uint8_t>(unit);
    if (std::find(ordered.begin(), ordered.end(), one) == ordered.end()) ordered.push_back(one);
  };
  for (const int unit : first) {
    if (std::find(units.begin(), units.end(), unit) != units.end()) take(unit);
  }
  likely = ordered.size();
  for (const int unit : units) take(unit);
  return ordered;
}

Duration late_timeout(Duration timeout) {
  return std::min(kLateFactor * timeout, std::max(kLongestLateTimeout, timeout));
}

Duration probe_time(const SearchOrder& order, const LineSetting& setting) {
  if (!order.serial) return order.timeout;
  const LineConfig line = line_config("", setting);
  return order.timeout + line.character_time() * kRequestCharacters +
         Duration{std::llround(kSilences * static_cast<double>(line.character_time().count()))};
}

Estimate estimate(const SearchOrder& order) {
  Estimate result;
  const auto units = static_cast<long>(order.units.size());
  const auto likely = static_cast<long>(order.likely);
  for (const LineSetting& setting : order.settings) {
    const Duration each = probe_time(order, setting);
    const Duration at_end = late_timeout(order.timeout) - order.timeout;
    const Duration whole = each * units * kQuestions + at_end * kPasses;
    result.likely += each * likely + at_end;
    result.one = std::max(result.one, whole);
    result.all += order.all_settings ? whole : each * units + at_end * 2;
  }
  if (order.settings.size() == 1) {
    result.likely = Duration::zero();
    result.all = result.one;
  }
  return result;
}

}  // namespace baudbridge::scan
