#pragma once
// Numbers as bytes, the same on every machine: little endian, or as many bytes as the number needs.
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace baudbridge {

/// Appends bytes to a string ...
struct GrowingBytes {
  std::string& out;
  void put(char byte) { out += byte; }
  void put(std::string_view bytes) { out += bytes; }
};
/// ... or writes them to memory that is large enough, several times as fast.
struct RoomForBytes {
  char* at;
  void put(char byte) { *at++ = byte; }
  void put(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(at, bytes.data(), bytes.size());
    at += bytes.size();
  }
};

template <class Sink>
class BasicByteWriter {
 public:
  explicit BasicByteWriter(Sink sink) : out_(sink) {}
  void byte(std::uint8_t value) { out_.put(static_cast<char>(value)); }
  void fixed32(std::uint32_t value) { little_endian(value); }
  void fixed64(std::uint64_t value) { little_endian(value); }
  /// Seven bits a byte, lowest first; the top bit means that more follow (as protocol buffers' varint).
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.put(static_cast<char>(value | 0x80U));
    out_.put(static_cast<char>(value));
  }
  /// Small numbers of either sign are short (zigzag).
  void signed_number(std::int64_t value) {
    number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void real(double value) { fixed64(std::bit_cast<std::uint64_t>(value)); }
  void text(std::string_view value) {
    number(value.size());
    out_.put(value);
  }
  void raw(std::string_view value) { out_.put(value); }
  [[nodiscard]] const Sink& sink() const { return out_; }

 private:
  template <class Number>
  void little_endian(Number value) {
    std::array<char, sizeof(Number)> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(value >> (8 * i));
    out_.put(std::string_view(bytes.data(), bytes.size()));
  }
  Sink out_;
};

/// Appends to a text.
class ByteWriter : public BasicByteWriter<GrowingBytes> {
 public:
  explicit ByteWriter(std::string& out) : BasicByteWriter(GrowingBytes{out}) {}
};
/// The maximum that number() and signed_number() write.
constexpr std::size_t kMaxNumberBytes = 10;

/// Reads what ByteWriter wrote. After the first error everything is read as zero, and ok() is false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view data) : data_(data) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool finished() const { return ok_ && data_.empty(); }
  [[nodiscard]] std::size_t left() const { return data_.size(); }

  std::uint8_t byte() {
    if (data_.empty()) return fail();
    const auto value = static_cast<std::uint8_t>(data_.front());
    data_.remove_prefix(1);
    return value;
  }
  std::uint32_t fixed32() {
    std::uint32_t value = 0;
    for (int shift = 0; shift < 32; shift += 8) value |= std::uint32_t{byte()} << shift;
    return value;
  }
  std::uint64_t fixed64() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 8) value |= std::uint64_t{byte()} << shift;
    return value;
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      value |= std::uint64_t{next & 0x7FU} << shift;
      if ((next & 0x80U) == 0) return value;
    }
    return fail();
  }
  std::int64_t signed_number() {
    const std::uint64_t value = number();
    return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1U) + 1U));
  }
  double real() { return std::bit_cast<double>(fixed64()); }
  std::string_view text() {
    const std::uint64_t size = number();
    return size > data_.size() ? raw(data_.size() + 1) : raw(static_cast<std::size_t>(size));
  }
  std::string_view raw(std::size_t size) {
    if (size > data_.size()) {
      fail();
      return {};
    }
    const std::string_view value = data_.substr(0, size);
    data_.remove_prefix(size);
    return value;
  }

 private:
  std::uint8_t fail() {
    ok_ = false;
    data_ = {};
    return 0;
  }

  std::string_view data_;
  bool ok_ = true;
};

}  // namespace baudbridge
