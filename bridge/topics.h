#pragma once
// All topic names of the gateway (contract section 3).
#include <string>
#include <string_view>

namespace baudbridge {

/// The topics below `[publish] base`. In a device or point name, what a topic level must not contain becomes "_".
/// Threads: any; it does not change.
/// Source:  MQTT 5.0 section 4.7.
class Topics {
 public:
  explicit Topics(std::string base) : base_(std::move(base)) {}

  /// Records, format json. Values, format value: one level below, see append_level().
  [[nodiscard]] std::string device(std::string_view device) const;
  [[nodiscard]] std::string availability(std::string_view device) const { return below(device, "availability"); }
  [[nodiscard]] std::string result(std::string_view device) const { return below(device, "result"); }

  [[nodiscard]] std::string state() const { return base_ + "/bridge/state"; }
  [[nodiscard]] std::string health() const { return base_ + "/bridge/health"; }
  [[nodiscard]] std::string event() const { return base_ + "/bridge/event"; }

  /// The filter of the subscription to commands.
  [[nodiscard]] std::string commands() const { return base_ + "/+/set"; }
  /// The device that a command's topic names; empty: it is not a topic of a command.
  [[nodiscard]] std::string_view command_device(std::string_view topic) const;

  /// Appends "/" and a level.
  static void append_level(std::string& topic, std::string_view level);

 private:
  [[nodiscard]] std::string below(std::string_view device, std::string_view leaf) const;

  std::string base_;
};

}  // namespace baudbridge
