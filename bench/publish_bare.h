#pragma once
// Paho alone, on both sides of the broker: publishing, as the limit for the gateway, and receiving.
#include <cstdint>
#include <memory>
#include <string>

namespace baudbridge::bench {

/// Publishes `count` messages of this payload with Paho alone, QoS 1, at most `window` in flight, the next one from the
/// acknowledgement of an older one. Result: messages a second.
/// Errors:  std::runtime_error.
double publish_with_bare_paho(const std::string& uri, const std::string& topic, const std::string& payload,
                              std::uint64_t count, std::uint64_t window);

/// Receives records of a topic and counts their sequence numbers.
/// Threads: receives on the library's; the counts may be read from any.
/// Errors:  std::runtime_error when the broker cannot be reached.
class SeqLedger {
 public:
  /// Sequence numbers 1 to `count` are expected.
  SeqLedger(const std::string& uri, const std::string& topic, std::uint64_t count);
  ~SeqLedger();
  SeqLedger(const SeqLedger&) = delete;
  SeqLedger& operator=(const SeqLedger&) = delete;

  [[nodiscard]] std::uint64_t different() const;  ///< expected ones that were received
  [[nodiscard]] std::uint64_t twice() const;      ///< messages with a number received before
  [[nodiscard]] std::uint64_t out_of_order() const;

 private:
  struct Received;
  std::unique_ptr<Received> received_;
};

}  // namespace baudbridge::bench
