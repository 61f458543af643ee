// Every recorded capture of a serial sensor: whole, in pieces, cut anywhere, every bit flipped once, behind noise.
#include <algorithm>

#include "described_device.h"
#include "support/capture.h"
#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::testing;

namespace {

using Records = std::vector<std::vector<Reading>>;

std::vector<std::string> serial_captures() {
  std::vector<std::string> ids = capture_ids();
  std::erase_if(ids, [](const std::string& id) { return load_capture(id).adapter != "serial"; });
  return ids;
}

/// The bytes as pieces of this size through a fresh framer and decoder.
Records decode(const DescribedDevice& device, std::string_view bytes, std::size_t piece, bool answer) {
  const auto framer = device.device().decode.framer();
  const auto decoder = device.device().decode.decoder();
  framer->restart(answer);
  Records records;
  const auto pull = [&] {
    while (const auto frame = framer->next()) {
      std::vector<PointValue> values;
      if (decoder->decode(*frame, values) == FrameKind::own) records.push_back(device.shaped(values));
    }
  };
  while (!bytes.empty()) {
    framer->feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    pull();
  }
  framer->give_up();
  pull();
  return records;
}

bool same(const Reading& reading, const Expected& expected) {
  if (const auto* word = std::get_if<std::string>(&expected); word != nullptr && word->substr(0, 1) == "!") {
    return !reading.value && fault_word(reading.value.error()) == word->substr(1);
  }
  if (!reading.value) return false;
  if (const auto* flag = std::get_if<bool>(&expected)) return *reading.value == Value{*flag};
  if (const auto* text = std::get_if<std::string>(&expected)) return *reading.value == Value{*text};
  return as_expected(expected, as_double(*reading.value));
}

bool same(const std::vector<Reading>& readings, const ExpectedRecord& expected) {
  if (readings.size() != expected.size()) return false;
  return std::all_of(expected.begin(), expected.end(), [&](const auto& wanted) {
    return std::any_of(readings.begin(), readings.end(), [&](const Reading& reading) {
      return reading.point == wanted.first && same(reading, wanted.second);
    });
  });
}

bool is_good(const ExpectedRecord& record) {
  return std::none_of(record.begin(), record.end(),
                      [](const auto& point) { return point.second == Expected{std::string("!checksum")}; });
}

/// All that comes from the device, a response at a time.
struct Piece {
  std::string bytes;
  std::vector<ExpectedRecord> expected;
};

std::vector<Piece> pieces(const Capture& capture) {
  if (!capture.stream.empty()) return {{capture.stream, capture.expected}};
  std::vector<Piece> result;
  for (std::size_t i = 0; i < capture.exchanges.size(); ++i) {
    result.push_back({capture.exchanges[i].reply, {capture.expected[i]}});
    if (!is_good(capture.expected[i])) result.back().expected.clear();
  }
  return result;
}

bool all_expected(const Records& records, const std::vector<ExpectedRecord>& expected) {
  return std::equal(records.begin(), records.end(), expected.begin(), expected.end(),
                    [](const auto& got, const auto& wanted) { return same(got, wanted); });
}

bool only_expected(const Records& records, const std::vector<ExpectedRecord>& expected) {
  return std::all_of(records.begin(), records.end(), [&](const auto& got) {
    return std::any_of(expected.begin(), expected.end(), [&](const auto& wanted) { return same(got, wanted); });
  });
}

}  // namespace

TEST_CASE("every capture gives its expected values, in whatever pieces it arrives") {
  const std::vector<std::string> ids = serial_captures();
  REQUIRE(ids.size() >= 10);
  for (const std::string& id : ids) {
    const Capture capture = load_capture(id);
    const DescribedDevice device(capture.config);
    INFO(id << "\n" << device.problem_text());
    REQUIRE(device.problems().empty());
    for (const Piece& piece : pieces(capture)) {
      for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{7}, piece.bytes.size()}) {
        CHECK(all_expected(decode(device, piece.bytes, size, capture.stream.empty()), piece.expected));
      }
    }
  }
}

TEST_CASE("a capture that is cut anywhere gives no value that the whole one does not give") {
  for (const std::string& id : serial_captures()) {
    const Capture capture = load_capture(id);
    const DescribedDevice device(capture.config);
    INFO(id);
    for (const Piece& piece : pieces(capture)) {
      for (std::size_t cut = 0; cut < piece.bytes.size(); ++cut) {
        const Records begun = decode(device, std::string_view(piece.bytes).substr(0, cut), 16, capture.stream.empty());
        const Records ended = decode(device, std::string_view(piece.bytes).substr(cut), 16, false);
        INFO(cut);
        CHECK(only_expected(begun, piece.expected));
        CHECK(only_expected(ended, piece.expected));
      }
    }
  }
}

TEST_CASE("a capture with any one bit wrong gives no wrong value, if its frames have checksums, and loses one frame") {
  for (const std::string& id : serial_captures()) {
    const Capture capture = load_capture(id);
    const DescribedDevice device(capture.config);
    INFO(id);
    for (const Piece& piece : pieces(capture)) {
      if (piece.expected.empty()) continue;  // damaged already: another wrong bit may mend it
      for (std::size_t bit = 0; bit < piece.bytes.size() * 8; ++bit) {
        std::string damaged = piece.bytes;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        const Records records = decode(device, damaged, damaged.size(), capture.stream.empty());
        if (!capture.checked) continue;  // it did not crash
        INFO(bit / 8 << " bit " << bit % 8);
        CHECK(only_expected(records, piece.expected));
        // One frame, or two when the bit makes one of them look longer than it is.
        CHECK(records.size() + 2 >= piece.expected.size());
      }
    }
  }
}

TEST_CASE("noise before, between and behind the frames costs no value") {
  const std::string noise("\x00\xff\x42\x59\xaa\x00\x02$\xff", 9);
  for (const std::string& id : serial_captures()) {
    const Capture capture = load_capture(id);
    if (!capture.checked) continue;
    const DescribedDevice device(capture.config);
    INFO(id);
    for (const Piece& piece : pieces(capture)) {
      CHECK(all_expected(decode(device, noise + piece.bytes + noise, 5, capture.stream.empty()), piece.expected));
    }
  }
}
