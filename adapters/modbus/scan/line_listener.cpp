#include "adapters/modbus/scan/line_listener.h"

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/modbus/rtu_frame.h"

namespace baudbridge::scan {
namespace {

/// A stream that passes received bytes to a listener, too.
/// Threads: the scan's.
class ListenedStream : public Stream {
 public:
  ListenedStream(std::unique_ptr<Stream> stream, LineListener& listener)
      : stream_(std::move(stream)), listener_(listener) {}

  Result<void> open() override { return stream_->open(); }
  void close() noexcept override { stream_->close(); }
  [[nodiscard]] int fd() const override { return stream_->fd(); }
  Result<std::size_t> read_some(std::span<std::uint8_t> into) override {
    auto got = stream_->read_some(into);
    if (got) listener_.received(into.first(*got));
    return got;
  }
  Result<void> write_all(std::span<const std::uint8_t> bytes, Steady deadline) override {
    return stream_->write_all(bytes, deadline);
  }
  void acknowledge() noexcept override { stream_->acknowledge(); }
  [[nodiscard]] Duration character_time() const override { return stream_->character_time(); }
  [[nodiscard]] Duration frame_silence() const override { return stream_->frame_silence(); }
  [[nodiscard]] std::string name() const override { return stream_->name(); }
  [[nodiscard]] std::string advice() const override { return stream_->advice(); }

 private:
  std::unique_ptr<Stream> stream_;
  LineListener& listener_;
};

/// Threads: the scan's.
class StreamListener : public LineListener {
 public:
  void listen_on(Stream& stream) { stream_ = &stream; }

  Result<void> listen(Duration how_long, const std::stop_token& stop, int wake_fd) override {
    const Steady until = steady_now() + how_long;
    std::array<std::uint8_t, 256> bytes;
    while (!stop.stop_requested()) {
      const Waited waited = wait_input(stream_->fd(), until, wake_fd);
      if (waited == Waited::deadline) break;
      if (waited == Waited::woken) continue;
      const auto got = stream_->read_some(bytes);
      if (!got) return got.error();
      if (steady_now() >= until) break;
    }
    return {};
  }

 private:
  Stream* stream_ = nullptr;
};

}  // namespace

void LineListener::received(std::span<const std::uint8_t> bytes) {
  count_ += bytes.size();
  latest_.insert(latest_.end(), bytes.begin(), bytes.end());
  if (latest_.size() > kMostKept) {
    latest_.erase(latest_.begin(), latest_.begin() + static_cast<std::ptrdiff_t>(latest_.size() - kMostKept));
  }
}

OpenLine listened_rtu_line(std::unique_ptr<Stream> stream) {
  auto listener = std::make_unique<StreamListener>();
  auto listened = std::make_unique<ListenedStream>(std::move(stream), *listener);
  listener->listen_on(*listened);
  return {std::move(listener), rtu_client(std::move(listened), false)};
}

std::string hex_text(std::span<const std::uint8_t> bytes, std::size_t most) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string text;
  for (const std::uint8_t byte : bytes.first(std::min(most, bytes.size()))) {
    if (!text.empty()) text += ' ';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return bytes.size() > most ? text + " ..." : text;
}

std::size_t count_requests(std::span<const std::uint8_t> bytes) {
  RtuReceiver receiver;
  receiver.expect_nothing();
  (void)receiver.feed(bytes);
  const auto foreign_frames = receiver.take_foreign_frames();
  return static_cast<std::size_t>(std::count_if(foreign_frames.begin(), foreign_frames.end(),
                                                [](const ForeignFrame& frame) { return frame.request; }));
}

}  // namespace baudbridge::scan
