// WebSocket frames between the transport and a broker, where Mosquitto does not send them: a stream that is the test.
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "bridge/mqtt/byte_stream.h"
#include "support/bridge/wire_stream.h"
#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::mqtt;
using namespace baudbridge::testing;
using namespace std::string_literals;

namespace {

std::unique_ptr<ByteStream> websocket_over(Wire& wire) {
  return websocket_stream(std::make_unique<WireStream>(wire), *parse_server_url("ws://[::1]:9001/mqtt"));
}

std::string read_all(ByteStream& stream) {
  std::string all;
  for (char room[3];;) {
    const auto count = stream.read(room);
    if (!count || *count == 0) return all;
    all.append(room, *count);
  }
}

/// The payload of one masked frame; takes it off.
std::string take_frame(std::string& sent, unsigned first) {
  REQUIRE(sent.size() >= 6);
  CHECK(static_cast<unsigned char>(sent[0]) == first);
  REQUIRE((static_cast<unsigned char>(sent[1]) & 0x80U) != 0);
  std::size_t size = static_cast<unsigned char>(sent[1]) & 0x7FU;
  std::size_t at = 2;
  if (size == 126) {
    size = static_cast<std::size_t>(static_cast<unsigned char>(sent[2])) << 8U | static_cast<unsigned char>(sent[3]);
    at = 4;
  }
  REQUIRE(sent.size() >= at + 4 + size);
  std::string payload;
  for (std::size_t i = 0; i < size; ++i) payload += static_cast<char>(sent[at + 4 + i] ^ sent[at + i % 4]);
  sent.erase(0, at + 4 + size);
  return payload;
}

std::string base64_sha1(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  std::array<unsigned char, 64> encoded{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
  return reinterpret_cast<const char*>(encoded.data());
}

/// Answers the handshake as RFC 6455 section 4.2.2 says.
std::unique_ptr<ByteStream> opened_over(Wire& wire) {
  auto stream = websocket_over(wire);
  const auto waits = stream->open();
  REQUIRE(waits);
  REQUIRE_FALSE(*waits);
  const std::string name = "Sec-WebSocket-Key: ";
  const auto at = wire.sent.find(name) + name.size();
  const std::string key = wire.sent.substr(at, wire.sent.find("\r\n", at) - at);
  wire.sent.clear();
  wire.coming = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nSEC-WEBSOCKET-ACCEPT:  " +
                base64_sha1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11") + "\r\n\r\n";
  const auto opened = stream->open();
  REQUIRE(opened);
  REQUIRE(*opened);
  return stream;
}

/// What a server says that is no WebSocket server.
Error refusal_of(const std::string& answer) {
  Wire wire;
  const auto stream = websocket_over(wire);
  REQUIRE(stream->open());
  CHECK(wire.sent.starts_with("GET /mqtt HTTP/1.1\r\nHost: [::1]:9001\r\n"));
  CHECK(wire.sent.find("Sec-WebSocket-Protocol: mqtt\r\n") != std::string::npos);
  wire.coming = answer;
  const auto opened = stream->open();
  REQUIRE_FALSE(opened);
  return opened.error();
}

}  // namespace

TEST_CASE("a server that is no WebSocket server is told as such") {
  CHECK_THAT(refusal_of("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").what,
             ContainsSubstring("404 Not Found") && ContainsSubstring("/mqtt"));
  CHECK_THAT(refusal_of("SSH-2.0-OpenSSH_9.2\r\n").what, ContainsSubstring("WebSocket"));
  CHECK_THAT(refusal_of("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: wrong\r\n\r\n").what,
             ContainsSubstring("WebSocket"));
  CHECK_THAT(refusal_of("HTTP/1.1 200 OK\r\n" + std::string(10'000, 'x')).what, ContainsSubstring("WebSocket"));
}

TEST_CASE("the answer to the handshake is the one of the specification's example (section 1.3)") {
  CHECK(base64_sha1("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("what is written leaves in masked binary frames, also when the way is narrow") {
  Wire wire;
  const auto stream = opened_over(wire);
  const std::string bytes(40'000, 'b');
  for (std::size_t taken = 0; taken < bytes.size();) {
    wire.room = 1000;
    const auto count = stream->write(std::string_view(bytes).substr(taken));
    REQUIRE(count);
    taken += *count;
  }
  CHECK(stream->wants_to_write());
  wire.room = std::string::npos;
  REQUIRE(stream->write(""));
  CHECK_FALSE(stream->wants_to_write());
  std::string all;
  while (!wire.sent.empty()) all += take_frame(wire.sent, 0x82);
  CHECK(all == bytes);
}

TEST_CASE("frames are read whatever their size, in pieces, with others between") {
  Wire wire;
  const auto stream = opened_over(wire);
  wire.coming =
      "\x82\x03"
      "abc"
      "\x02\x01"
      "d"
      "\x89\x02hi"
      "\x80\x01"
      "e"s +
      "\x82\x7E\x01\x00"s + std::string(256, 'f') + "\x82\x7F\0\0\0\0\0\0\0\x01g"s +
      "\x8A\0"
      "\x82\0"s;
  CHECK(read_all(*stream) == "abcde" + std::string(256, 'f') + "g");
  REQUIRE(stream->write(""));
  CHECK(take_frame(wire.sent, 0x8A) == "hi");
  CHECK(wire.sent.empty());
  const std::string frame = "\x82\x7E\x00\x80"s + std::string(128, 'h');
  std::string all;
  for (const char byte : frame) {
    wire.coming = byte;
    all += read_all(*stream);
  }
  CHECK(all == std::string(128, 'h'));
}

TEST_CASE("a frame that a server must not send ends the connection, and so does a close") {
  Wire wire;
  const auto stream = opened_over(wire);
  std::array<char, 16> room{};
  SECTION("masked") {
    wire.coming =
        "\x82\x81"
        "mask"
        "x"s;
  }
  SECTION("text") {
    wire.coming = "\x81\x01x"s;
  }
  SECTION("a ping with too much in it") {
    wire.coming = "\x89\x7E\x01\0"s;
  }
  SECTION("pings without end") {
    for (int i = 0; i < 600'000; ++i) wire.coming += "\x89\0"s;
  }
  SECTION("close") {
    wire.coming = "\x88\0"s;
  }
  CHECK_FALSE(stream->read(room));
}

TEST_CASE("the end is told in a close frame") {
  Wire wire;
  const auto stream = opened_over(wire);
  stream->end_writing();
  CHECK(take_frame(wire.sent, 0x88) == "\x03\xE8");
  CHECK(wire.ended);
}
