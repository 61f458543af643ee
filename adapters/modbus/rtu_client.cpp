// RTU half of modbus_client.h.
#include <algorithm>
#include <array>
#include <utility>

#include "adapters/modbus/late_responses.h"
#include "adapters/modbus/modbus_client.h"
#include "adapters/modbus/rtu_frame.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLongestBusy = 500ms;     ///< a line that is busy for longer ends the attempt to send
constexpr Duration kBroadcastPause = 100ms;  ///< turnaround delay, MODBUS over Serial Line 1.02, section 2.4.1
constexpr Duration kPieces = 300ms;          ///< a response may come in pieces with pauses as long as this
constexpr Duration kBroken = 20ms;           ///< silence after which a damaged response is not waited for any longer
constexpr Duration kOtherMaster = 100ms;     ///< time for the response to another master's request
constexpr Duration kStale = 1s;              ///< what is left of a frame after that long is noise
constexpr unsigned kEchoesToBelieve = 2;

class RtuClient : public ModbusClient {
 public:
  RtuClient(std::unique_ptr<Stream> stream, bool echoes) : stream_(std::move(stream)), echoes_(echoes) {}

  Result<void> open() override {
    auto opened = stream_->open();
    if (!opened) return opened;
    late_.clear();
    receiver_.expect_nothing();
    line_busy_until_ = steady_now();
    return {};
  }

  void close() noexcept override { stream_->close(); }
  void end_waits_on(int stop_fd) override { stream_->end_waits_on(stop_fd); }

  Result<Response> transact(const Request& request) override {
    if (auto silent = wait_for_silence(request, true); !silent) return silent.error();
    const ExpectedResponse expected = expected_response(request.pdu);
    const Bytes frame = rtu_frame(request.unit, request.pdu);
    receiver_.expect(request.unit, frame, expected, echoes_);
    const Steady begun = steady_now();
    if (auto sent = send(frame, request.deadline); !sent) return sent.error();
    auto response = receive(request, frame.size());
    learn_echo();
    // What began like the response and was damaged or cut was the response; otherwise it may still come.
    const bool came = response || receiver_.damaged() || receiver_.begun();
    receiver_.expect_nothing();
    if (!came) late_.add(request.unit, request.pdu, begun, steady_now(), false);
    if (!response) return response.error();
    late_.repeated(request.unit, request.pdu, begun);
    if (auto good = check_response(expected, response->pdu); !good) return good.error();
    return response;
  }

  Result<void> broadcast(const Request& request) override {
    if (auto silent = wait_for_silence(request, false); !silent) return silent.error();
    if (auto sent = send(rtu_frame(request.unit, request.pdu), request.deadline); !sent) return sent.error();
    line_busy_until_ += kBroadcastPause;
    return {};
  }

  Result<void> listen() override {
    if (auto input = take_input(); !input) return input.error();
    return {};
  }
  [[nodiscard]] Steady clear_at(std::uint8_t unit, const Bytes& pdu, bool fresh) const override {
    return late_.clear_at(unit, pdu, fresh);
  }
  [[nodiscard]] std::vector<LateResponse> take_late() override { return std::exchange(late_responses_, {}); }
  [[nodiscard]] std::string advice() const override { return stream_->advice(); }

 private:
  Result<void> send(const Bytes& frame, Steady deadline) {
    const Duration on_the_wire = stream_->character_time() * static_cast<long>(frame.size());
    const Steady begun = steady_now();
    auto sent = stream_->write_all(frame, std::max(deadline, begun + on_the_wire + 100ms));
    // A driver takes a frame at once; where we switch the direction ourselves (RTS) it has left when write_all() ends.
    sent_end_ = std::max(begun + on_the_wire, steady_now());
    line_busy_until_ = sent_end_;
    return sent;
  }

  /// Reads what is there and looks at the frames that are not our response. The response, if it is complete.
  Result<std::optional<Bytes>> take_input() {
    std::array<std::uint8_t, 512> bytes;
    auto got = stream_->read_some(bytes);
    if (!got) return got.error();
    if (*got == 0) return std::optional<Bytes>{};
    const Steady now = steady_now();
    line_busy_until_ = std::max(line_busy_until_, now);
    auto response = receiver_.feed(std::span(bytes).first(*got));
    foreign_bytes_ += note_foreign_frames(now);
    return response;
  }

  static bool stopped(const Request& request, int& wake_fd) {
    wake_fd = -1;  // a pending write is carried out after this response
    return request.stop.stop_requested();
  }

  /// Until the silence before a frame is complete and no late response can be confused with the one expected.
  Result<void> wait_for_silence(const Request& request, bool answered) {
    const Steady begun = steady_now();
    int wake_fd = request.wake_fd;
    if (line_busy_until_ < begun - kStale) receiver_.expect_nothing();
    for (;;) {
      if (auto input = take_input(); !input) return input.error();
      const Steady now = steady_now();
      const Steady silent = std::max(line_busy_until_ + stream_->frame_silence(), other_master_until_);
      const Steady clear = answered ? late_.clear_at(request.unit, request.pdu, request.fresh) : now;
      const Steady until = std::max(silent, clear);
      if (until <= now) return {};
      if (now >= request.deadline) return Error{Fault::closed, "no time left to send the request"};
      if (clear <= now && now > begun + std::max(kLongestBusy, request.timeout)) {
        return Error{Fault::malformed,
                     "the line is never silent: check baud, parity and wiring, and whether another master is on it"};
      }
      const Waited waited = wait_input(stream_->fd(), std::min(until, request.deadline), wake_fd);
      if (waited == Waited::woken && stopped(request, wake_fd)) return Error{Fault::closed, "stopped"};
    }
  }

  Result<Response> receive(const Request& request, std::size_t sent_bytes) {
    Steady first_by = sent_end_ + request.timeout;
    if (echoes_) first_by += stream_->character_time() * static_cast<long>(sent_bytes);
    int wake_fd = request.wake_fd;
    Steady last_byte = sent_end_;
    foreign_bytes_ = 0;
    for (;;) {
      const Waited waited =
          wait_input(stream_->fd(), std::min(wait_until(first_by, last_byte), request.deadline), wake_fd);
      if (waited == Waited::woken && stopped(request, wake_fd)) return Error{Fault::closed, "stopped"};
      if (waited == Waited::woken) continue;
      std::optional<Bytes> pdu;
      if (waited == Waited::deadline) {
        pdu = receiver_.at_last();
        if (!pdu) return silence(request);
      } else {
        auto input = take_input();
        if (!input) return input.error();
        pdu = std::move(*input);
        last_byte = steady_now();
      }
      for (; pdu; pdu = receiver_.feed({})) {
        if (!late_.ambiguous(request.unit, request.pdu, *pdu, last_byte)) {
          return Response{std::move(*pdu), last_byte - sent_end_, last_byte};
        }
      }
      stream_->acknowledge();
      // Another frame took time on the wire that our response did not have.
      if (foreign_bytes_ == 0) continue;
      first_by += stream_->character_time() * static_cast<long>(foreign_bytes_) + 2 * stream_->frame_silence();
      foreign_bytes_ = 0;
    }
  }

  /// How long to wait for the next byte.
  [[nodiscard]] Steady wait_until(Steady first_by, Steady last_byte) const {
    if (receiver_.begun()) return last_byte + kPieces;
    if (receiver_.damaged()) return std::min(first_by, last_byte + stream_->frame_silence() + kBroken);
    if (receiver_.noise_bytes() == 0) return first_by;
    return std::max(first_by, std::min(last_byte + kBroken, first_by + kPieces));  // perhaps it begins just now
  }

  /// Why there is no response.
  [[nodiscard]] Error silence(const Request& request) const {
    if (receiver_.damaged()) return {Fault::checksum, "its response was damaged (CRC)"};
    if (receiver_.begun()) return {Fault::malformed, "its response was cut short"};
    const std::string noise = receiver_.noise_bytes() == 0
                                  ? ""
                                  : ", but " + std::to_string(receiver_.noise_bytes()) +
                                        " bytes outside any frame: check line settings and wiring";
    return {Fault::timeout, "no response in " + duration_text(request.timeout) + noise};
  }

  /// Looks at the frames that are not our response. Result: bytes on the wire of those that are not our echo.
  std::size_t note_foreign_frames(Steady now) {
    std::size_t bytes = 0;
    for (const ForeignFrame& frame : receiver_.take_foreign_frames()) {
      if (frame.echo && echoes_) continue;
      bytes += frame.pdu.size() + kRtuExtraBytes;
      other_master_until_ = frame.request ? now + kOtherMaster : Steady{};
      if (frame.request) {
        late_.add(frame.unit, frame.pdu, now, now, true);
      } else if (const auto settled = late_.recognise(frame.unit, frame.pdu, now); settled && !settled->foreign) {
        late_responses_.push_back({frame.unit, settled->took});
      }
    }
    return bytes;
  }

  /// A line that gave back two requests that cannot be mistaken for responses is taken to echo all.
  void learn_echo() {
    if (receiver_.echo_received() && !echoes_ && ++echoes_received_ >= kEchoesToBelieve) echoes_ = true;
  }

  std::unique_ptr<Stream> stream_;
  RtuReceiver receiver_;
  LateResponses late_;
  std::vector<LateResponse> late_responses_;
  Steady line_busy_until_{};  ///< last byte sent or received
  Steady sent_end_{};
  Steady other_master_until_{};
  std::size_t foreign_bytes_ = 0;
  unsigned echoes_received_ = 0;
  bool echoes_ = false;
};

}  // namespace

std::unique_ptr<ModbusClient> rtu_client(std::unique_ptr<Stream> stream, bool echoes) {
  return std::make_unique<RtuClient>(std::move(stream), echoes);
}

}  // namespace baudbridge
