#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"

namespace baudbridge::simulation {

/// The device's end of a serial line: a pseudo-terminal, whose other end a program opens like any serial port.
/// Threads: one caller.
/// Errors:  io when the machine has no pseudo-terminals left.
class PtyLine {
 public:
  static Result<PtyLine> open();

  [[nodiscard]] const std::string& port() const { return port_; }  ///< "/dev/pts/3"
  [[nodiscard]] int fd() const { return device_.get(); }
  /// A program has the other end open. While none has, the descriptor is always "ready" and there is nothing to read.
  [[nodiscard]] bool connected() const;
  /// What has arrived; never waits.
  [[nodiscard]] std::vector<std::uint8_t> read();
  /// Writes to the line. Bytes that are not read are lost, as on a real line.
  void write(std::span<const std::uint8_t> bytes);

 private:
  UniqueFd device_;
  std::string port_;
};

}  // namespace baudbridge::simulation
