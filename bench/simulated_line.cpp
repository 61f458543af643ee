#include "bench/simulated_line.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/modbus_server.h"

namespace baudbridge::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kRequestBytes = 8;
constexpr std::size_t kFifo = 14;  ///< trigger level of a 16550's receive FIFO
/// So much earlier than asked a thread is woken, to be there in time: what is left is spent looking at the clock.
constexpr Duration kAhead = 60us;

Steady steady_now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

SimulatedLine::SimulatedLine(LineModel model, Misfortune misfortune)
    : model_(std::move(model)), misfortune_(std::move(misfortune)) {
  master_.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master_ || ::grantpt(master_.get()) != 0 || ::unlockpt(master_.get()) != 0) throw std::runtime_error("no pty");
  std::array<char, 64> name{};
  if (::ptsname_r(master_.get(), name.data(), name.size()) != 0) throw std::runtime_error("no name of the pty");
  port_ = name.data();
  slave_.reset(::open(port_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios settings{};
  ::tcgetattr(slave_.get(), &settings);
  ::cfmakeraw(&settings);
  ::tcsetattr(slave_.get(), TCSANOW, &settings);
  thread_ = std::thread([this] { run(); });
}

SimulatedLine::~SimulatedLine() {
  stop_ = true;
  thread_.join();
}

SimulatedLine::Counts SimulatedLine::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

/// To the microsecond, as far as the machine gives it. False: stopped.
bool SimulatedLine::wait_until(Steady when) {
  for (;;) {
    const Duration left = when - steady_now() - kAhead;
    if (left <= Duration::zero()) break;
    const Duration slice = std::min<Duration>(left, 100ms);
    const timespec wait{0, static_cast<long>(slice.count())};
    ::ppoll(nullptr, 0, &wait, nullptr);
    if (stop_) return false;
  }
  while (steady_now() < when) {
  }
  return !stop_;
}

void SimulatedLine::run() {
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  while (!stop_) {
    pollfd line{master_.get(), POLLIN, 0};
    if (::poll(&line, 1, 50) <= 0) continue;
    const Steady came = steady_now();
    std::array<std::uint8_t, 512> bytes;
    const ssize_t got = ::read(master_.get(), bytes.data(), bytes.size());
    if (got <= 0) continue;
    received_.insert(received_.end(), bytes.begin(), bytes.begin() + got);
    if (received_.size() >= kRequestBytes) take_request(came);
  }
}

/// A pty takes in a request at once: its first character begins now, its last one ends when the wire would be done.
void SimulatedLine::take_request(Steady came) {
  const Duration silence = came - line_free_;
  const Steady begin = std::max(came, line_free_);
  const Steady end = begin + model_.character() * static_cast<int>(received_.size());
  {
    const std::lock_guard lock(mutex_);
    ++counts_.requests;
    if (silence < model_.silence()) ++counts_.too_early;
    counts_.shortest_silence = std::min(counts_.shortest_silence, silence);
  }
  line_free_ = end;
  answer(end);
  received_.clear();
}

void SimulatedLine::answer(Steady request_end) {
  testing::ModbusAsked asked;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = counts_.requests;
  }
  asked.number = number;
  asked.unit = received_[0];
  asked.pdu.assign(received_.begin() + 1, received_.begin() + 6);
  if (model_.silent.contains(asked.unit)) return;
  std::vector<std::uint8_t> frame = testing::rtu_bytes(asked.unit, testing::source_pdu(asked));
  Mishap mishap;
  if (misfortune_) mishap = misfortune_(number);
  if (mishap.flip_bit) {
    const std::size_t bit = *mishap.flip_bit % (8 * frame.size());
    frame[bit / 8] = static_cast<std::uint8_t>(frame[bit / 8] ^ (1U << (bit % 8)));
  }
  if (mishap.cut_at) frame.resize(*mishap.cut_at % frame.size());
  frame.insert(frame.begin(), mishap.before.begin(), mishap.before.end());
  const Steady begin = request_end + model_.silence() + model_.turnaround + mishap.late;
  send(begin, frame);
  const std::lock_guard lock(mutex_);
  ++counts_.answers;
}

/// Each chunk is handed over when its last character has come in.
void SimulatedLine::send(Steady begin, const std::vector<std::uint8_t>& frame) {
  for (std::size_t sent = 0; sent < frame.size();) {
    const std::size_t size = std::min(kFifo, frame.size() - sent);
    sent += size;
    const Steady done = begin + model_.character() * static_cast<int>(sent);
    if (!wait_until(done)) return;
    line_free_ = done;
    if (::write(master_.get(), frame.data() + sent - size, size) < 0) return;
  }
}

}  // namespace baudbridge::bench
