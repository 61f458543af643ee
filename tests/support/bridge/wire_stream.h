#pragma once
// A ByteStream in memory.
#include <algorithm>
#include <string>

#include "bridge/mqtt/byte_stream.h"

namespace baudbridge::testing {

/// What is sent is kept; what comes is the test's.
struct Wire {
  std::string sent;
  std::string coming;
  std::size_t room = std::string::npos;  ///< so much more can be sent
  bool ended = false;
};

class WireStream final : public mqtt::ByteStream {
 public:
  explicit WireStream(Wire& wire) : wire_(wire) {}
  Result<bool> open() override { return true; }
  Result<std::size_t> read(std::span<char> room) override {
    if (wire_.coming.empty() && wire_.ended) return Error{Fault::closed, "ended"};
    const std::size_t count = std::min(room.size(), wire_.coming.size());
    std::copy_n(wire_.coming.begin(), count, room.begin());
    wire_.coming.erase(0, count);
    return count;
  }
  Result<std::size_t> write(std::string_view bytes) override {
    const std::size_t count = std::min(wire_.room, bytes.size());
    wire_.sent += bytes.substr(0, count);
    wire_.room -= count;
    return count;
  }
  void end_writing() override { wire_.ended = true; }
  [[nodiscard]] bool wants_to_write() const override { return false; }
  [[nodiscard]] int descriptor() const override { return -1; }
  [[nodiscard]] std::string missing() const override { return "nothing"; }

 private:
  Wire& wire_;
};

}  // namespace baudbridge::testing
