#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <vector>

#include "bridge/mqtt/byte_stream.h"

namespace baudbridge::mqtt {
namespace {

/// RFC 6455 section 5.2.
enum class Opcode : unsigned { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

constexpr std::size_t kLongestAnswer = 8192;
constexpr std::size_t kLongestFrame = 16384;     ///< that we send
constexpr std::size_t kLongestControl = 125;     ///< section 5.5
constexpr std::size_t kMostWithoutPayload = 64;  ///< reads in a row

std::string base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count));
  return bytes;
}

/// What the server must answer to a key (section 4.2.2, point 5.4).
std::string accept_of(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return base64({reinterpret_cast<const char*>(digest.data()), size});
}

std::string lower(std::string_view text) {
  std::string copy(text);
  std::transform(copy.begin(), copy.end(), copy.begin(), [](unsigned char c) { return std::tolower(c); });
  return copy;
}

/// The value of a header of an HTTP/1.1 answer; empty: it is not there.
std::string header_value(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    std::string_view line = head.substr(0, end);
    head.remove_prefix(end == head.npos ? head.size() : end + 2);
    const auto colon = line.find(':');
    if (colon == line.npos || lower(line.substr(0, colon)) != name) continue;
    line.remove_prefix(colon + 1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    return std::string(line);
  }
  return "";
}

/// A frame from a client is masked (section 5.3).
void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
  constexpr unsigned kFinal = 0x80;
  constexpr unsigned kMasked = 0x80;
  out += static_cast<char>(kFinal | static_cast<unsigned>(opcode));
  if (payload.size() < 126) {
    out += static_cast<char>(kMasked | static_cast<unsigned>(payload.size()));
  } else {
    out += static_cast<char>(kMasked | 126U);  // frames that we send fit 16 bits
    out += static_cast<char>(payload.size() >> 8U);
    out += static_cast<char>(payload.size() & 0xFFU);
  }
  const std::string mask = random_bytes(4);
  out += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
}

class WebSocketStream final : public ByteStream {
 public:
  WebSocketStream(std::unique_ptr<ByteStream> below, const ServerUrl& server)
      : below_(std::move(below)), path_(server.path), key_(base64(random_bytes(16))) {
    const bool ipv6 = server.host.find(':') != std::string::npos;
    host_ = (ipv6 ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port);
  }

  Result<bool> open() override {
    if (!below_open_) {
      const auto opened = below_->open();
      if (!opened || !*opened) return opened;
      below_open_ = true;
      out_ = "GET " + path_ + " HTTP/1.1\r\nHost: " + host_ +
             "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key_ +
             "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
    }
    if (const auto flushed = flush(); !flushed) return unanswered(flushed.error());
    for (;;) {
      if (const auto end = in_.find("\r\n\r\n"); end != in_.npos) return accept(end);
      if (in_.size() > kLongestAnswer || (in_.size() >= 5 && !in_.starts_with("HTTP/"))) return no_http();
      const auto more = fill();
      if (!more) return unanswered(more.error());
      if (!*more) return false;
    }
  }

  Result<std::size_t> read(std::span<char> room) override {
    for (std::size_t filled = 0; filled < kMostWithoutPayload; ++filled) {
      const auto inside = take_frames(room);
      if (!inside || *inside > 0) return inside;
      const auto more = fill();
      if (!more) return more.error();
      if (!*more) return std::size_t{0};
    }
    return Error{Fault::io, "the server sends WebSocket frames without anything in them"};
  }

  Result<std::size_t> write(std::string_view bytes) override {
    const auto flushed = flush();
    if (!flushed) return flushed.error();
    if (!*flushed || bytes.empty()) return std::size_t{0};
    bytes = bytes.substr(0, kLongestFrame);
    append_frame(out_, Opcode::binary, bytes);
    if (const auto begun = flush(); !begun) return begun.error();
    return bytes.size();
  }

  void end_writing() override {
    append_frame(out_, Opcode::close, std::string_view("\x03\xE8", 2));  // 1000: normal (section 7.4.1)
    (void)flush();
    below_->end_writing();
  }
  [[nodiscard]] bool wants_to_write() const override { return !out_.empty() || below_->wants_to_write(); }
  [[nodiscard]] int descriptor() const override { return below_->descriptor(); }
  [[nodiscard]] std::string missing() const override {
    return below_open_ ? "the server did not answer the WebSocket request: is this the broker's port for WebSockets?"
                       : below_->missing();
  }

 private:
  /// True: everything of ours is out.
  Result<bool> flush() {
    while (!out_.empty()) {
      const auto written = below_->write(out_);
      if (!written) return written.error();
      if (*written == 0) return false;
      out_.erase(0, *written);
    }
    return true;
  }

  /// False: nothing came.
  Result<bool> fill() {
    std::array<char, 16384> room;
    const auto count = below_->read(room);
    if (!count) return count.error();
    in_.append(room.data(), *count);
    return *count > 0;
  }

  Result<bool> accept(std::size_t end) {
    const std::string_view head = std::string_view(in_).substr(0, end + 2);
    const std::string_view status = head.substr(0, head.find("\r\n"));
    if (status.substr(0, 12) != "HTTP/1.1 101") {
      return Error{Fault::refused, "the server refused the WebSocket (" + std::string(status) + "): is " + path_ +
                                       " the path of the broker's WebSocket?"};
    }
    if (header_value(head, "sec-websocket-accept") != accept_of(key_)) return no_http();
    in_.erase(0, end + 4);
    return true;
  }

  static Error no_http() {
    return Error{Fault::refused,
                 "there was no answer as from a WebSocket server: is this the broker's port for WebSockets?"};
  }
  Error unanswered(const Error& error) const {
    if (error.kind == Fault::refused) return error;
    return Error{Fault::refused, missing() + " (" + error.what + ")"};
  }

  /// Payload of the frames that are there; what is not payload is seen to.
  Result<std::size_t> take_frames(std::span<char> room) {
    for (;;) {
      if (left_ > 0) {
        const std::size_t count = static_cast<std::size_t>(
            std::min<std::uint64_t>({left_, static_cast<std::uint64_t>(in_.size() - at_), room.size()}));
        std::copy_n(in_.data() + at_, count, room.data());
        at_ += count;
        left_ -= count;
        forget_read();
        return count;
      }
      const auto begun = begin_frame();
      if (!begun) return begun.error();
      if (!*begun) return std::size_t{0};
    }
  }

  /// Section 5.2. False: more bytes are needed.
  Result<bool> begin_frame() {
    const Error not_ours{Fault::io, "the server sent a WebSocket frame that is not allowed"};
    const std::string_view in = std::string_view(in_).substr(at_);
    if (in.size() < 2) return false;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(in[i]); };
    const auto opcode = static_cast<Opcode>(byte(0) & 0x0FU);
    if ((byte(1) & 0x80U) != 0) return not_ours;  // section 5.1: a server does not mask
    std::uint64_t size = byte(1) & 0x7FU;
    const std::size_t extra = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (in.size() < 2 + extra) return false;
    if (extra > 0) size = 0;
    for (std::size_t i = 0; i < extra; ++i) size = size << 8U | byte(2 + i);
    switch (opcode) {
      case Opcode::binary:
      case Opcode::continuation:
        at_ += 2 + extra;
        left_ = size;
        forget_read();
        return true;
      case Opcode::close:
        return Error{Fault::closed, "the broker or the network ended it"};
      case Opcode::ping:
      case Opcode::pong:
        if (size > kLongestControl) return not_ours;
        if (in.size() < 2 + size) return false;
        // Of several pings that could not be answered yet one answer is enough (section 5.5.3).
        if (opcode == Opcode::ping && out_.size() < kLongestControl) {
          append_frame(out_, Opcode::pong, in.substr(2, static_cast<std::size_t>(size)));
        }
        at_ += 2 + static_cast<std::size_t>(size);
        forget_read();
        return true;
      default:
        return not_ours;
    }
  }

  void forget_read() {
    if (at_ < in_.size() && at_ < 65536) return;
    in_.erase(0, at_);
    at_ = 0;
  }

  std::unique_ptr<ByteStream> below_;
  std::string path_;
  std::string host_;
  std::string key_;
  bool below_open_ = false;
  std::string out_;         ///< encoded, not written yet
  std::string in_;          ///< received
  std::size_t at_ = 0;      ///< so much of in_ is read
  std::uint64_t left_ = 0;  ///< of the frame that is being read
};

}  // namespace

std::unique_ptr<ByteStream> websocket_stream(std::unique_ptr<ByteStream> below, const ServerUrl& server) {
  return std::make_unique<WebSocketStream>(std::move(below), server);
}

}  // namespace baudbridge::mqtt
