#pragma once
// Paho alone, on both sides of the broker: publishing, as the measure of what the gateway could do at most, and
// hearing.
#include <cstdint>
#include <memory>
#include <string>

namespace baudbridge::bench {

/// Publishes `count` messages of this payload with Paho alone, QoS 1, never more than `window` out, the next one from
/// the acknowledgement of an older one. Result: messages a second. Errors: std::runtime_error.
double publish_with_bare_paho(const std::string& uri, const std::string& topic, const std::string& payload,
                              std::uint64_t count, std::uint64_t window);

/// Hears records on a topic and keeps count of their numbers.
/// Threads: hears on the library's, may be asked from any.
/// Errors:  std::runtime_error when the broker cannot be reached.
class SeqLedger {
 public:
  /// Numbers 1 to `count` are expected.
  SeqLedger(const std::string& uri, const std::string& topic, std::uint64_t count);
  ~SeqLedger();
  SeqLedger(const SeqLedger&) = delete;
  SeqLedger& operator=(const SeqLedger&) = delete;

  [[nodiscard]] std::uint64_t different() const;  ///< of the numbers expected
  [[nodiscard]] std::uint64_t twice() const;      ///< messages with a number that was there before
  [[nodiscard]] std::uint64_t out_of_order() const;

 private:
  struct Heard;
  std::unique_ptr<Heard> heard_;
};

}  // namespace baudbridge::bench
