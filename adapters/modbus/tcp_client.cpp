// Modbus TCP half of modbus_client.h.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/tcp_frame.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kReconnectAfter = 3;  ///< requests in a row without any response
constexpr Duration kJustNow = 1ms;

class TcpClient : public ModbusClient {
 public:
  explicit TcpClient(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}

  Result<void> open() override {
    buffer_.clear();
    given_up_.clear();
    unanswered_ = 0;
    answered_.reset();
    return stream_->open();
  }

  void close() noexcept override { stream_->close(); }
  void end_waits_on(int stop_fd) override { stream_->end_waits_on(stop_fd); }

  Result<Response> transact(const Request& request) override {
    if (auto ready = make_ready(); !ready) return ready.error();
    auto response = exchange(request);
    // Some devices close the connection after a response, or after a time without requests, sometimes just when the
    // next request is sent.
    if (response || response.error().kind != Fault::unplugged || !answered_) return response;
    if (auto opened = open(); !opened) return opened.error();
    return exchange(request);
  }

  Result<void> broadcast(const Request& request) override {
    if (auto ready = make_ready(); !ready) return ready;
    return stream_->write_all(tcp_frame(++transaction_, request.unit, request.pdu), steady_now() + request.timeout);
  }

  [[nodiscard]] Steady clear_at(std::uint8_t /*unit*/, const Bytes& /*pdu*/, bool /*fresh*/) const override {
    return {};
  }
  [[nodiscard]] std::vector<LateResponse> take_late() override { return std::exchange(late_responses_, {}); }
  [[nodiscard]] std::string advice() const override { return stream_->advice(); }

 private:
  Result<Response> exchange(const Request& request) {
    const std::uint16_t transaction = ++transaction_;
    const Steady sent_at = steady_now();
    auto sent = stream_->write_all(tcp_frame(transaction, request.unit, request.pdu), sent_at + request.timeout);
    if (!sent) return sent.error();
    auto response = receive(request, transaction, sent_at);
    if (!response) {
      if (response.error().kind != Fault::timeout) return response;
      ++unanswered_;
      given_up_[transaction] = {request.unit, sent_at};
      if (given_up_.size() > 64) given_up_.erase(given_up_.begin());
      return response;
    }
    unanswered_ = 0;
    answered_ = response->at;
    if (auto good = check_response(expected_response(request.pdu), response->pdu); !good) return good.error();
    return response;
  }

  /// Takes in what came meanwhile. A connection that the other side closed between requests, or on which nothing
  /// is answered any more, is made again; requests queued on a half-open one must not all arrive at once later.
  Result<void> make_ready() {
    if (stream_->fd() >= 0 && unanswered_ < kReconnectAfter) {
      // Right after a response, with none outstanding, there is nothing to take in.
      if (answered_ && given_up_.empty() && buffer_.empty() && steady_now() - *answered_ < kJustNow) return {};
      auto taken = take_input();
      if (taken) taken = take_frames(std::nullopt, nullptr);
      if (taken) return {};
    }
    return open();
  }

  Result<void> take_input() {
    std::array<std::uint8_t, 1024> bytes;
    for (;;) {
      auto got = stream_->read_some(bytes);
      if (!got) return got.error();
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*got));
      if (*got < bytes.size()) return {};
    }
  }

  /// Sorts the complete frames: the one that is wanted goes to `wanted`, late ones are noted, others dropped.
  Result<void> take_frames(std::optional<std::uint16_t> transaction, std::optional<TcpFrame>* wanted) {
    std::size_t used = 0;
    Result<void> outcome;
    for (;;) {
      auto frame = first_tcp_frame(std::span<const std::uint8_t>(buffer_).subspan(used));
      if (!frame) {
        outcome = frame.error();
        break;
      }
      if (!*frame) break;
      used += (*frame)->size;
      if (transaction && (*frame)->transaction == *transaction) {
        *wanted = std::move(**frame);
        transaction.reset();  // a second one with the same id is not ours
        continue;
      }
      const auto late = given_up_.find((*frame)->transaction);
      if (late == given_up_.end()) continue;
      unanswered_ = 0;
      late_responses_.push_back({late->second.first, steady_now() - late->second.second});
      given_up_.erase(late);
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(used));
    return outcome;
  }

  Result<Response> receive(const Request& request, std::uint16_t transaction, Steady sent_at) {
    const Steady until = std::min(sent_at + request.timeout, request.deadline);
    int wake_fd = request.wake_fd;
    std::optional<TcpFrame> frame;
    while (!frame) {
      const Waited waited = wait_input(stream_->fd(), until, wake_fd);
      if (waited == Waited::deadline) {
        return Error{Fault::timeout, "no response in " + duration_text(request.timeout)};
      }
      if (waited == Waited::woken) {
        if (request.stop.stop_requested()) return Error{Fault::closed, "stopped"};
        wake_fd = -1;  // a write that waits is served after this response
        continue;
      }
      auto taken = take_input();
      // What came before the connection was closed still counts.
      if (auto sorted = take_frames(transaction, &frame); taken && !sorted) taken = sorted;
      if (!taken && !frame) {
        stream_->close();
        return taken.error();
      }
      if (!frame) stream_->acknowledge();
    }
    if (frame->unit != request.unit) {
      return Error{Fault::malformed,
                   "unit " + std::to_string(frame->unit) + " answered instead of unit " + std::to_string(request.unit)};
    }
    const Steady now = steady_now();
    return Response{std::move(frame->pdu), now - sent_at, now};
  }

  std::unique_ptr<Stream> stream_;
  Bytes buffer_;
  std::map<std::uint16_t, std::pair<std::uint8_t, Steady>> given_up_;  ///< transaction -> unit, when it was sent
  std::vector<LateResponse> late_responses_;
  std::optional<Steady> answered_;  ///< on this connection, the last time
  unsigned unanswered_ = 0;
  std::uint16_t transaction_ = 0;
};

}  // namespace

std::unique_ptr<ModbusClient> tcp_client(std::unique_ptr<Stream> stream) {
  return std::make_unique<TcpClient>(std::move(stream));
}

}  // namespace baudbridge
