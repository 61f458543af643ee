#include "adapters/serial/framer.h"

#include "support/catch.h"
#include "support/pty.h"

using namespace baudbridge;
using baudbridge::testing::from_hex;

namespace {

std::vector<std::string> all(Framer& framer) {
  std::vector<std::string> frames;
  while (auto frame = framer.next()) frames.push_back(std::move(*frame));
  return frames;
}

std::vector<std::string> lines_of(LineRules rules, std::string_view bytes, bool at_beginning = true) {
  LineFramer framer(std::move(rules));
  framer.restart(at_beginning);
  framer.feed(bytes);
  return all(framer);
}

using Lines = std::vector<std::string>;

/// Start AA 55, one byte with the length of what follows, sum8 at the end.
FrameRules stated_length() {
  FrameRules rules;
  rules.start = from_hex("AA 55");
  rules.length_field = FrameRules::LengthField{2, 1, false, 3};
  rules.max_length = 64;
  rules.checksum.kind = ChecksumKind::sum8;
  return rules;
}

std::string frame_of(const std::string& data) {
  std::string frame = from_hex("AA 55") + static_cast<char>(data.size() + 1) + data;
  return frame + static_cast<char>(checksum_of(ChecksumKind::sum8, frame));
}

}  // namespace

TEST_CASE("CR LF, LF and CR all end a line, and empty lines are none") {
  CHECK(lines_of({}, "a\r\nb\nc\r\r\n\nd") == Lines{"a", "b", "c"});
}

TEST_CASE("the first line of a stream may be half a line and is dropped in silence") {
  LineFramer framer({});
  framer.feed("5.1;7\n25.1;7\n");
  CHECK(all(framer) == Lines{"25.1;7"});
  CHECK(framer.counts().extra_bytes == 0);
  CHECK(framer.counts().damaged == 0);
}

TEST_CASE("a megabyte without a line end needs no memory, and the next line is read again") {
  LineFramer framer({});
  framer.restart(true);
  const std::string noise(4096, 'x');
  for (int i = 0; i < 256; ++i) framer.feed(noise);
  framer.feed("\n42\n");
  CHECK(all(framer) == Lines{"42"});
  CHECK(framer.counts().extra_bytes == 256 * 4096);
}

TEST_CASE("a line begins after the last start mark in it") {
  LineRules rules;
  rules.start = "\x02";
  rules.ends = "\x03\r\n";
  CHECK(lines_of(rules, "noise\x02half\x02  12.5 kg\x03no mark\r\n\x02 7\x03", false) == Lines{"  12.5 kg", " 7"});
}

TEST_CASE("the parity bit of a seven-bit device is dropped when it is configured") {
  LineRules rules;
  rules.seven_bits = true;
  CHECK(lines_of(rules, "\xb1\x32\x8d\x0a") == Lines{"12"});
}

TEST_CASE("a line with an NMEA checksum counts only if it is right") {
  LineRules rules;
  rules.checksum = LineChecksum::nmea;
  CHECK(lines_of(rules, "$IIMWV,271.0,R,000.2,N,A*3B\r\n$IIMWV,271.0,R,000.2,N,A*3C\r\n", false) ==
        Lines{"$IIMWV,271.0,R,000.2,N,A"});
  CHECK(lines_of(rules, "\xff\x01$IIMWV,271.0,R,000.2,N,A*3b\n$IIMWV,271.0,R,000.2,N,A\n*\n$*\n$\n", false) ==
        Lines{"$IIMWV,271.0,R,000.2,N,A"});
}

TEST_CASE("a frame is found whatever stands before it, and a start mark inside a false frame is looked at again") {
  FrameFramer framer(stated_length());
  const std::string good = frame_of("data");
  // The checksum byte of the noise equals the start byte; the real frame begins inside the false one.
  framer.feed(from_hex("00 AA AA 55 06 01 02") + good + good);
  CHECK(all(framer) == Lines{good, good});
}

TEST_CASE("an incomplete first frame is not an error") {
  FrameFramer framer(stated_length());
  const std::string good = frame_of("data");
  framer.feed(good.substr(3) + good);
  CHECK(all(framer) == Lines{good});
  CHECK(framer.counts().extra_bytes == 0);
  CHECK(framer.counts().damaged == 0);
}

TEST_CASE("damaged frames and extra bytes are counted once the stream is in step") {
  FrameFramer framer(stated_length());
  const std::string good = frame_of("data");
  std::string bad = good;
  bad[4] = '?';
  framer.feed(good + bad + "xy" + good);
  CHECK(all(framer) == Lines{good, good});
  CHECK(framer.counts().damaged == 1);
  CHECK(framer.counts().extra_bytes == bad.size() + 2);
}

TEST_CASE("a stated length that is too short or too long is noise, not a wait for bytes that never come") {
  FrameFramer framer(stated_length());
  const std::string good = frame_of("data");
  framer.feed(from_hex("AA 55 FF") + good);
  CHECK(all(framer) == Lines{good});
  FrameRules rules = stated_length();
  rules.length_field->add = -10;
  FrameFramer negative(rules);
  negative.feed(from_hex("AA 55 02 00 00 00"));
  CHECK(all(negative).empty());
}

TEST_CASE("when nothing more comes a false beginning does not hide the frame behind it") {
  FrameFramer framer(stated_length());
  framer.restart(true);
  const std::string good = frame_of("data");
  framer.feed(from_hex("AA 55 30") + good);
  CHECK(all(framer).empty());
  framer.give_up();
  CHECK(all(framer) == Lines{good});
}

TEST_CASE("a megabyte of start marks is gone through and forgotten") {
  FrameFramer framer(stated_length());
  const std::string marks(4096, '\xAA');
  for (int i = 0; i < 256; ++i) {
    framer.feed(marks);
    REQUIRE(all(framer).empty());
  }
  const std::string good = frame_of("data");
  framer.feed(good);
  CHECK(all(framer) == Lines{good});
}

TEST_CASE("a frame may end with a mark instead of having a length") {
  FrameRules rules;
  rules.start = from_hex("7E");
  rules.end = from_hex("0D");
  rules.max_length = 16;
  FrameFramer framer(rules);
  framer.feed(from_hex("11 0D 7E 31 32 0D 7E 33 0D") + "\x7E" + std::string(40, '1') + from_hex("7E 34 0D"));
  CHECK(all(framer) == Lines{"~12\r", "~3\r", "~4\r"});
}

TEST_CASE("stuffed bytes are put back before length and checksum are looked at") {
  // Sensirion SPS30 (datasheet, section 5: SHDLC): 7E, address, command, state, length, data, checksum, 7E; 7D stuffs.
  FrameRules rules;
  rules.start = rules.end = from_hex("7E");
  rules.escape = FrameRules::Escape{0x7D, 0x20};
  rules.checksum.kind = ChecksumKind::sum8_inverted;
  rules.checksum.from = 1;
  rules.checksum.at = -2;
  const std::string inside = from_hex("00 03 00 03 7E 7D 11");
  const auto sum = static_cast<char>(checksum_of(ChecksumKind::sum8_inverted, inside));
  const std::string frame = "\x7E" + from_hex("00 03 00 03 7D 5E 7D 5D 7D 31") + sum + "\x7E";
  FrameFramer framer(rules);
  // It begins in the middle of one: its end is taken for a start at first.
  framer.feed(from_hex("55 66 7E") + frame + frame);
  const std::string plain = "\x7E" + inside + sum + "\x7E";
  CHECK(all(framer) == Lines{plain, plain});
}
