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
/// A device that was quiet for so long after the port was opened is not in the middle of a frame when it begins.
constexpr Duration kQuietBefore = 250ms;
constexpr Duration kWriteLimit = 2s;
/// Pause after which an answer that came late has ended.
constexpr Duration kLateEnds = 50ms;
/// So many bytes without a frame are no chance any more.
constexpr std::uint64_t kTellingBytes = 256;

Steady steady_now() {
  return std::chrono::steady_clock::now();
}

class SerialAdapter : public Adapter, public Adviser {
 public:
  explicit SerialAdapter(SerialConfig config) : config_(std::move(config)) {
    for (const SerialDeviceConfig& device : config_.devices) {
      const bool talks = device.request.empty();
      listeners_.emplace_back(device.decode, device.points, talks ? device.every : Duration::zero());
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
      if (!talks(i) || listeners_[i].bytes_unused() < kTellingBytes) continue;
      if (steady_now() - listeners_[i].heard_at() < kTellAfter) continue;
      text += (text.empty() ? "" : "; ") + config_.devices[i].id + ": " + listeners_[i].complaint();
    }
    return text;
  }

 private:
  static constexpr Duration kTellAfter = 10s;

  [[nodiscard]] bool talks(std::size_t device) const { return config_.devices[device].request.empty(); }

  Result<void> write(const std::string& bytes) {
    return port_->write_all(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                            steady_now() + kWriteLimit);
  }

  /// Reads what is there; it belongs to whoever talks by himself, and to the device that was asked. How much it was.
  Result<std::size_t> receive(std::optional<std::size_t> asked) {
    std::size_t total = 0;
    for (;;) {
      std::array<unsigned char, kReadBytes> buffer;
      const auto got = port_->read_some(buffer.data(), buffer.size());
      if (!got) return got.error();
      if (*got == 0) return total;
      total += *got;
      const Steady now = steady_now();
      line_used_at_ = now;
      const bool was_quiet = !std::exchange(anything_came_, true) && now - opened_at_ > kQuietBefore;
      const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), *got);
      for (std::size_t i = 0; i < listeners_.size(); ++i) {
        if (!talks(i) && asked != i) continue;
        if (was_quiet && talks(i)) listeners_[i].begin_frame();
        listeners_[i].feed(bytes, now);
      }
      if (*got < buffer.size()) return total;
    }
  }

  void hand_on(PollContext& context, Said said) const {
    for (PointValue& value : said.values) {
      if (!talks(context.device_index()) && !is_due(context, value.point)) continue;
      if (!value.value) {
        context.report_fault(value.point, value.value.error());
      } else if (value.bits) {
        context.report(value.point, *value.value, *value.bits);
      } else {
        context.report(value.point, *value.value);
      }
    }
    context.answered_at(said.at);
  }

  static bool is_due(const PollContext& context, std::size_t point) {
    return std::find(context.due().begin(), context.due().end(), point) != context.due().end();
  }

  // --- devices that talk by themselves ---

  Result<void> listen(PollContext& context) {
    const std::size_t device = context.device_index();
    for (;;) {
      if (auto got = receive(std::nullopt); !got) return got.error();
      const Steady now = steady_now();
      if (auto said = listeners_[device].take(now)) {
        hand_on(context, std::move(*said));
        return {};
      }
      if (too_quiet(device, now)) {
        report_quiet(context, now);
        return {};
      }
      if (now >= context.deadline() || context.stop() || another_is_due(device, now)) return {};
      const auto waited = port_->wait_readable(std::min(context.deadline(), next_event(device)), context.wake_fd());
      if (waited || waited.error().kind == Fault::timeout) continue;
      if (waited.error().kind == Fault::closed) return {};  // a write waits, or the end
      return waited.error();
    }
  }

  [[nodiscard]] bool too_quiet(std::size_t device, Steady now) const {
    const Duration silence = config_.devices[device].silence;
    return silence > Duration::zero() && now - listeners_[device].heard_at() >= silence;
  }

  void report_quiet(PollContext& context, Steady now) {
    Listener& listener = listeners_[context.device_index()];
    const std::string complaint = listener.complaint();
    context.report_silence(Error{Fault::timeout, "nothing heard for " +
                                                     duration_text(config_.devices[context.device_index()].silence) +
                                                     (complaint.empty() ? "" : "; " + complaint)});
    listener.heard(now);
  }

  /// When something is to be done though nothing is received.
  [[nodiscard]] Steady next_event(std::size_t device) const {
    const Duration silence = config_.devices[device].silence;
    Steady next = silence > Duration::zero() ? listeners_[device].heard_at() + silence : Steady::max();
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      if (const auto due = listeners_[i].due_at(); due && talks(i)) next = std::min(next, *due);
    }
    return next;
  }

  [[nodiscard]] bool another_is_due(std::size_t device, Steady now) const {
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      if (i != device && talks(i) && listeners_[i].due(now)) return true;
    }
    return false;
  }

  // --- devices that are asked ---

  enum class Waited { bytes, deadline, stopped };

  /// Waits for bytes until then. A stop ends it; a write that waits does not, it is served after the answer.
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

  /// Until the pause between requests is over, and no late answer of another device can come any more.
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
    std::string complaint;
    bool damaged = false;
    for (unsigned attempt = 0; attempt <= config.retries; ++attempt) {
      const auto turn = wait_turn(context, wake_fd);
      if (!turn) return turn.error();
      if (*turn == Waited::stopped) break;
      listener.restart(true, steady_now());
      if (auto sent = write(config.request); !sent) return sent;
      const Steady asked_at = steady_now();
      line_used_at_ = asked_at;
      auto answer = await_answer(context, std::min(asked_at + config.timeout, context.deadline()), wake_fd);
      if (!answer) return answer.error();
      if (*answer) {
        context.responded_in((*answer)->at - asked_at);
        report_answer(context, std::move(**answer));
        return {};
      }
      if (context.stop()) return {};
      complaint = listener.complaint();
      damaged = listener.damaged() > 0;
      late_device_ = device;
      late_until_ = steady_now() + config.timeout;
    }
    if (context.stop()) return {};
    report_no_answer(context, config, complaint, damaged);
    return {};
  }

  /// The answer, or nothing when the time is over.
  Result<std::optional<Said>> await_answer(const PollContext& context, Steady until, int& wake_fd) {
    const std::size_t device = context.device_index();
    for (;;) {
      const auto waited = wait(context, until, wake_fd);
      if (!waited) return waited.error();
      if (*waited == Waited::stopped) return std::optional<Said>{};
      if (*waited == Waited::deadline) {
        listeners_[device].give_up(steady_now());
        return listeners_[device].take(steady_now());
      }
      if (auto got = receive(device); !got) return got.error();
      if (auto said = listeners_[device].take(steady_now())) return said;
    }
  }

  void report_answer(PollContext& context, Said said) const {
    std::vector<std::size_t> missing(context.due().begin(), context.due().end());
    for (const PointValue& value : said.values) {
      missing.erase(std::remove(missing.begin(), missing.end(), value.point), missing.end());
    }
    hand_on(context, std::move(said));
    for (const std::size_t point : missing) {
      context.report_fault(point, Error{Fault::malformed, "the answer says nothing about it"});
    }
  }

  static void report_no_answer(PollContext& context, const SerialDeviceConfig& config, const std::string& complaint,
                               bool damaged) {
    if (complaint.empty()) {
      context.report_silence(Error{Fault::timeout, "no answer in " + duration_text(config.timeout)});
      return;
    }
    const Error error{damaged ? Fault::checksum : Fault::malformed, "no good answer: " + complaint};
    for (const std::size_t point : context.due()) context.report_fault(point, error);
  }

  SerialConfig config_;
  std::vector<Listener> listeners_;
  std::optional<SerialPort> port_;
  Steady opened_at_{};
  bool anything_came_ = false;  ///< since the port was opened
  Steady line_used_at_{};       ///< last byte sent or received
  Steady late_until_{};         ///< an answer to a request that was given up may still come
  std::size_t late_device_ = 0;
};

}  // namespace

std::unique_ptr<Adapter> make_serial_adapter(SerialConfig config) {
  return std::make_unique<SerialAdapter>(std::move(config));
}

}  // namespace baudbridge
