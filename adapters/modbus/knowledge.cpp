#include "adapters/modbus/knowledge.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRemembered = 24h;
constexpr std::size_t kMostRefusals = 512;  ///< more than any device needs: the oldest go
constexpr std::array<std::string_view, 4> kTableWords{"coil", "discrete", "input", "holding"};
constexpr std::array<std::string_view, 2> kLengthWords{"registers", "bits"};

/// The words of a line, separated by single spaces.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t space = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, space));
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  return words;
}

std::optional<std::uint16_t> to_word16(std::string_view text) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <std::size_t N>
std::optional<std::size_t> place_of(const std::array<std::string_view, N>& words, std::string_view word) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) return std::nullopt;
  return static_cast<std::size_t>(found - words.begin());
}

}  // namespace

std::string_view table_word(Table table) {
  return kTableWords[static_cast<std::size_t>(table)];
}

void Knowledge::refused(Table table, std::uint16_t first, std::uint16_t last, Steady now) {
  for (Refusal& known : refusals_) {
    if (known.table == table && known.first == first && known.last == last) {
      known.learned = now;
      return;
    }
  }
  if (refusals_.size() >= kMostRefusals) refusals_.erase(refusals_.begin());
  refusals_.push_back({table, first, last, now});
  ++version_;
}

void Knowledge::not_refused(Table table, std::uint16_t first, std::uint16_t last) {
  const auto gone = std::erase_if(refusals_, [&](const Refusal& known) {
    return known.table == table && known.first >= first && known.last <= last;
  });
  if (gone != 0) ++version_;
}

void Knowledge::too_long(Table table, std::uint16_t count, Steady now) {
  Length& known = length(table);
  known.bad = count;
  if (known.good >= count) known.good = static_cast<std::uint16_t>(count - 1);
  known.tried = static_cast<std::uint16_t>(known.good + (known.bad - known.good) / 2);
  if (known.tried == known.bad) --known.tried;
  known.learned = now;
  ++version_;
}

void Knowledge::answered(Table table, std::uint16_t count) {
  Length& known = length(table);
  known.good = std::max(known.good, count);
  if (known.bad != 0 && known.good >= known.bad) {  // it was not the length after all
    known.bad = 0;
    ++version_;
  }
}

void Knowledge::try_longer(Table table) {
  Length& known = length(table);
  if (known.bad == 0 || known.tried + 1 >= known.bad) return;
  known.good = std::max(known.good, known.tried);
  known.tried = static_cast<std::uint16_t>((known.tried + known.bad) / 2);
  ++version_;
}

bool Knowledge::forget_old(Steady now) {
  std::size_t gone = std::erase_if(refusals_, [&](const Refusal& known) { return now - known.learned > kRemembered; });
  for (Length& known : lengths_) {
    if (known.bad == 0 || now - known.learned <= kRemembered) continue;
    known = Length{};
    ++gone;
  }
  if (gone != 0) ++version_;
  return gone != 0;
}

bool Knowledge::refuses(Table table, std::uint32_t first, std::uint32_t end) const {
  return std::any_of(refusals_.begin(), refusals_.end(), [&](const Refusal& known) {
    return known.table == table && first <= known.first && known.last < end;
  });
}

std::uint16_t Knowledge::longest(Table table, std::uint16_t limit) const {
  const Length& known = length(table);
  if (known.bad == 0) return limit;
  return std::min(limit, std::max<std::uint16_t>(known.tried, 1));
}

std::string Knowledge::save() const {
  std::string text;
  for (const Refusal& known : refusals_) {
    text += "refused " + std::string(table_word(known.table)) + " " + std::to_string(known.first) + " " +
            std::to_string(known.last) + "\n";
  }
  for (std::size_t i = 0; i < kLengthWords.size(); ++i) {
    if (lengths_[i].bad == 0) continue;
    text += "length " + std::string(kLengthWords[i]) + " " + std::to_string(lengths_[i].tried) + " " +
            std::to_string(lengths_[i].bad) + "\n";
  }
  return text;
}

Knowledge Knowledge::load(std::string_view text, Steady now) {
  Knowledge loaded;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.size() != 4) continue;
    const auto first = to_word16(words[2]);
    const auto second = to_word16(words[3]);
    if (!first || !second || *first > *second) continue;
    if (const auto table = place_of(kTableWords, words[1]); table && words[0] == "refused") {
      loaded.refused(static_cast<Table>(*table), *first, *second, now);
    } else if (const auto kind = place_of(kLengthWords, words[1]); kind && words[0] == "length" && *first < *second) {
      loaded.lengths_[*kind] = Length{*first, *second, *first, now};
    }
  }
  return loaded;
}

}  // namespace baudbridge
