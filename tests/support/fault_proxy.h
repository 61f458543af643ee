#pragma once
// A proxy to a broker, with the faults that a test sets.
#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <string>
#include <thread>

#include "core/time.h"
#include "core/unique_fd.h"
#include "support/process.h"

namespace baudbridge::testing {

/// Forwards TCP connections from a free port of 127.0.0.1 to another. Faults apply to present and future connections.
/// Threads: its own; all methods from the test.
class FaultProxy {
 public:
  explicit FaultProxy(std::uint16_t target);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  [[nodiscard]] std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

  /// Drops the bytes of the client, or those to it, without an error on either side: a dead connection.
  void lose(bool upwards, bool downwards) {
    loses_up_ = upwards;
    loses_down_ = downwards;
  }
  /// Bytes a second in each direction, 0: no bound; and the delay of each byte in each direction.
  void slow_down(std::uint32_t bytes_per_second, Duration one_way) {
    bytes_per_second_ = bytes_per_second;
    delay_ = one_way.count();
  }
  /// The next connection is reset (RST, not FIN) when so many more bytes of the client have passed.
  void reset_after(std::int64_t bytes) { reset_after_ = bytes; }
  static constexpr std::int64_t kNever = -1;

  [[nodiscard]] std::size_t connections() const { return connections_; }
  [[nodiscard]] std::size_t resets() const { return resets_; }

 private:
  struct Chunk {
    Steady due;
    std::string bytes;
  };
  struct Way {
    int from = -1;
    int to = -1;
    std::deque<Chunk> in_transit;
    Steady free_at{};  ///< when the line has room for the next byte
    bool closed = false;
  };
  struct Pair {
    UniqueFd client;
    UniqueFd server;
    Way up;
    Way down;
  };

  void run(const std::stop_token& stop);
  void accept_client();
  /// False: the pair is over.
  bool move(Pair& pair);
  bool read_some(Way& way, bool lost, bool upwards);
  bool write_due(Way& way);
  static void reset(UniqueFd& socket);

  std::uint16_t port_;
  std::uint16_t target_;
  UniqueFd listener_;
  std::list<Pair> pairs_;  ///< its own thread's
  std::atomic<bool> loses_up_{false};
  std::atomic<bool> loses_down_{false};
  std::atomic<std::uint32_t> bytes_per_second_{0};
  std::atomic<Duration::rep> delay_{0};
  std::atomic<std::int64_t> reset_after_{kNever};
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::size_t> resets_{0};
  std::jthread thread_;
};

}  // namespace baudbridge::testing
