#pragma once
// libmodbus' own server, for tests: an implementation that is not ours.
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "core/unique_fd.h"

namespace baudbridge::testing {

/// libmodbus as a server: an implementation that is not ours. Tables are the test's to fill and look at.
/// Threads: one of its own; the tables are guarded by lock().
class LibmodbusServer {
 public:
  static constexpr int kTableSize = 200;
  enum class Kind { rtu_line, rtu_over_tcp, tcp };
  /// rtu_line: line_fd is the far end of the line. Otherwise it listens on 127.0.0.1.
  LibmodbusServer(Kind kind, int line_fd, int unit);
  ~LibmodbusServer();
  LibmodbusServer(const LibmodbusServer&) = delete;
  LibmodbusServer& operator=(const LibmodbusServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint16_t holding(int address) const;
  void set_holding(int address, std::uint16_t value);
  void set_input(int address, std::uint16_t value);
  void set_coil(int address, bool on);
  [[nodiscard]] bool coil(int address) const;
  void set_discrete(int address, bool on);

 private:
  struct Tables;
  void run();
  void serve(int fd);

  Kind kind_;
  int line_fd_;
  int unit_;
  UniqueFd listener_;
  UniqueFd wake_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::unique_ptr<Tables> tables_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace baudbridge::testing
