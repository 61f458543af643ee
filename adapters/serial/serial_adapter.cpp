#include "adapters/serial/serial_adapter.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "adapters/adapter.h"
#include "adapters/serial/listener.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReadBytes = 4096;
/// A device that sends nothing for this long after the port was opened begins with a whole frame.
constexpr Duration kSilentBefore = 250ms;
constexpr Duration kWriteLimit = 2s;
/// Pause after which a response that came late has ended.
constexpr Duration kLateEnds = 50ms;
/// After so many bytes without a frame there is advice.
constexpr std::uint64_t kAdvisedBytes = 256;

Steady steady_now() {
  return std::chrono::steady_clock::now();
}

class SerialAdapter : public Adapter {
 public:
  explicit SerialAdapter(SerialConfig config) : config_(std::move(config)) {
    for (const SerialDeviceConfig& device : config_.devices) {
      const bool unsolicited = device.request.empty();
      listeners_.emplace_back(device.decode, device.points, unsolicited ? device.every : Duration::zero());
    }
  }

  Result<void> open() override {
    auto port = SerialPort::open(config_.line);
    if (!port) return port.error();
    port_ = std::move(*port);
    const Steady now = steady_now();
    opened_at_ = now;
    anything_came_ = false;
    line_used_at_ = now - config_.pause;
    late_until_ = Steady{};
    for (Listener& listener : listeners_) listener.restart(false, now);
    return config_.greeting.empty() ? Result<void>{} : write(config_.greeting);
  }

  void close() noexcept override { port_.reset(); }

  Result<void> poll(PollContext& context) override {
    if (!port_) return Error{Fault::closed, "the port is not open"};
    return config_.devices[context.device_index()].request.empty() ? listen(context) : ask(context);
  }

  [[nodiscard]] std::string advice() const override {
    std::string text = port_ ? port_->advice() : "";
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      if (!unsolicited(i) || listeners_[i].bytes_unused() < kAdvisedBytes) continue;
      if (steady_now() - listeners_[i].received_at() < kAdviseAfter) continue;
      text += (text.empty() ? "" : "; ") + config_.devices[i].id + ": " + listeners_[i].diagnosis();
    }
    return text;
  }

 private:
  static constexpr Duration kAdviseAfter = 10s;

  [[nodiscard]] bool unsolicited(std::size_t device) const { return config_.devices[device].request.empty(); }

  Result<void> write(const std::string& bytes) {
    return port_->write_all(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                            steady_now() + kWriteLimit);
  }

  /// Reads what is there, for the unsolicited devices and the device whose response is awaited. Returns the bytes.
  Result<std::size_t> receive(std::optional<std::size_t> awaited) {
    std::size_t total = 0;
    for (;;) {
      std::array<unsigned char, kReadBytes> buffer;
      const auto got = port_->read_some(buffer.data(), buffer.size());
      if (!got) return got.error();
      if (*got == 0) return total;
      total += *got;
      const Steady now = steady_now();
      line_used_at_ = now;
      const bool was_silent = !std::exchange(anything_came_, true) && now - opened_at_ > kSilentBefore;
      const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), *got);
      for (std::size_t i = 0; i < listeners_.size(); ++i) {
        if (!unsolicited(i) && awaited != i) continue;
        if (was_silent && unsolicited(i)) listeners_[i].begin_frame();
        listeners_[i].feed(bytes, now);
      }
      if (*got < buffer.size()) return total;
    }
  }

  void hand_on(PollContext& context, FrameValues received) const {
    for (PointValue& value : received.values) {
      if (!unsolicited(context.device_index()) && !is_due(context, value.point)) continue;
      if (!value.value) {
        context.report_fault(value.point, value.value.error());
      } else if (value.bits) {
        context.report(value.point, *value.value, *value.bits);
      } else {
        context.report(value.point, *value.value);
      }
    }
    context.answered_at(received.at);
  }

  static bool is_due(const PollContext& context, std::size_t point) {
    return std::find(context.due().begin(), context.due().end(), point) != context.due().end();
  }

  // --- unsolicited devices ---

  Result<void> listen(PollContext& context) {
    const std::size_t device = context.device_index();
    for (;;) {
      if (auto got = receive(std::nullopt); !got) return got.error();
      const Steady now = steady_now();
      if (auto received = listeners_[device].take(now)) {
        hand_on(context, std::move(*received));
        return {};
      }
      if (is_silent(device, now)) {
        report_silent(context, now);
        return {};
      }
      if (now >= context.deadline() || context.stop() || another_is_due(device, now)) return {};
      const auto waited = port_->wait_readable(std::min(context.deadline(), next_event(device)), context.wake_fd());
      if (waited || waited.error().kind == Fault::timeout) continue;
      if (waited.error().kind == Fault::closed) return {};  // a write waits, or a stop
      return waited.error();
    }
  }

  [[nodiscard]] bool is_silent(std::size_t device, Steady now) const {
    const Duration silence = config_.devices[device].silence;
    return silence > Duration::zero() && now - listeners_[device].received_at() >= silence;
  }

  void report_silent(PollContext& context, Steady now) {
    Listener& listener = listeners_[context.device_index()];
    const std::string diagnosis = listener.diagnosis();
    context.report_silence(Error{Fault::timeout, "nothing received for " +
                                                     duration_text(config_.devices[context.device_index()].silence) +
                                                     (diagnosis.empty() ? "" : "; " + diagnosis)});
    listener.restart_silence(now);
  }

  /// When something is to be done though nothing is received.
  [[nodiscard]] Steady next_event(std::size_t device) const {
    const Duration silence = config_.devices[device].silence;
    Steady next = silence > Duration::zero() ? listeners_[device].received_at() + silence : Steady::max();
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      if (const auto due = listeners_[i].due_at(); due && unsolicited(i)) next = std::min(next, *due);
    }
    return next;
  }

  [[nodiscard]] bool another_is_due(std::size_t device, Steady now) const {
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      if (i != device && unsolicited(i) && listeners_[i].due(now)) return true;
    }
    return false;
  }

  // --- solicited devices ---

  enum class Waited { bytes, deadline, stopped };

  /// Waits for bytes until then. A stop ends it; a write that waits does not, it is served after the response.
  Result<Waited> wait(const PollContext& context, Steady until, int& wake_fd) const {
    for (;;) {
      const auto waited = port_->wait_readable(until, wake_fd);
      if (waited) return Waited::bytes;
      if (waited.error().kind == Fault::timeout) return Waited::deadline;
      if (waited.error().kind != Fault::closed) return waited.error();
      if (context.stop()) return Waited::stopped;
      wake_fd = -1;
    }
  }

  /// Until the pause between requests is over, and no late response of another device can come any more.
  Result<Waited> wait_turn(const PollContext& context, int& wake_fd) {
    for (;;) {
      auto got = receive(std::nullopt);
      if (!got) return got.error();
      const Steady now = steady_now();
      if (*got > 0 && now < late_until_) late_until_ = std::min(late_until_, now + kLateEnds);
      const bool mine = late_device_ == context.device_index();
      const Steady until = std::max(line_used_at_ + config_.pause, mine ? Steady{} : late_until_);
      if (until <= now) return Waited::deadline;
      if (now >= context.deadline()) return Waited::stopped;
      auto waited = wait(context, std::min(until, context.deadline()), wake_fd);
      if (!waited || *waited == Waited::stopped) return waited;
    }
  }

  Result<void> ask(PollContext& context) {
    const std::size_t device = context.device_index();
    const SerialDeviceConfig& config = config_.devices[device];
    Listener& listener = listeners_[device];
    int wake_fd = context.wake_fd();
    std::string diagnosis;
    bool damaged = false;
    for (unsigned attempt = 0; attempt <= config.retries; ++attempt) {
      const auto turn = wait_turn(context, wake_fd);
      if (!turn) return turn.error();
      if (*turn == Waited::stopped) break;
      listener.restart(true, steady_now());
      if (auto sent = write(config.request); !sent) return sent;
      const Steady sent_at = steady_now();
      line_used_at_ = sent_at;
      auto response = await_response(context, std::min(sent_at + config.timeout, context.deadline()), wake_fd);
      if (!response) return response.error();
      if (*response) {
        context.responded_in((*response)->at - sent_at);
        report_response(context, std::move(**response));
        return {};
      }
      if (context.stop()) return {};
      diagnosis = listener.diagnosis();
      damaged = listener.damaged() > 0;
      late_device_ = device;
      late_until_ = steady_now() + config.timeout;
    }
    if (context.stop()) return {};
    report_no_response(context, config, diagnosis, damaged);
    return {};
  }

  /// The response, or nothing when the time is over.
  Result<std::optional<FrameValues>> await_response(const PollContext& context, Steady until, int& wake_fd) {
    const std::size_t device = context.device_index();
    for (;;) {
      const auto waited = wait(context, until, wake_fd);
      if (!waited) return waited.error();
      if (*waited == Waited::stopped) return std::optional<FrameValues>{};
      if (*waited == Waited::deadline) {
        listeners_[device].give_up(steady_now());
        return listeners_[device].take(steady_now());
      }
      if (auto got = receive(device); !got) return got.error();
      if (auto received = listeners_[device].take(steady_now())) return received;
    }
  }

  void report_response(PollContext& context, FrameValues received) const {
    std::vector<std::size_t> missing(context.due().begin(), context.due().end());
    for (const PointValue& value : received.values) {
      missing.erase(std::remove(missing.begin(), missing.end(), value.point), missing.end());
    }
    hand_on(context, std::move(received));
    for (const std::size_t point : missing) {
      context.report_fault(point, Error{Fault::malformed, "the response does not contain it"});
    }
  }

  static void report_no_response(PollContext& context, const SerialDeviceConfig& config, const std::string& diagnosis,
                                 bool damaged) {
    if (diagnosis.empty()) {
      context.report_silence(Error{Fault::timeout, "no response in " + duration_text(config.timeout)});
      return;
    }
    const Error error{damaged ? Fault::checksum : Fault::malformed, "no valid response: " + diagnosis};
    for (const std::size_t point : context.due()) context.report_fault(point, error);
  }

  SerialConfig config_;
  std::vector<Listener> listeners_;
  std::optional<SerialPort> port_;
  Steady opened_at_{};
  bool anything_came_ = false;  ///< since the port was opened
  Steady line_used_at_{};       ///< last byte sent or received
  Steady late_until_{};         ///< a response to a request that timed out may still come
  std::size_t late_device_ = 0;
};

}  // namespace

std::unique_ptr<Adapter> make_serial_adapter(SerialConfig config) {
  return std::make_unique<SerialAdapter>(std::move(config));
}

}  // namespace baudbridge
