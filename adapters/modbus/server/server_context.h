#pragma once
// libmodbus' server side: takes requests off sockets and writes the responses. The one place that includes libmodbus.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace baudbridge {

/// A Modbus TCP server context of libmodbus (3.1.6 to 3.1.12) that is pointed at one client's socket after the other.
/// libmodbus waits for the rest of a request, takes the length of a request from its function alone, and ends the
/// process at a descriptor of FD_SETSIZE or more: so receive() is called only for a usable descriptor on which a whole
/// request of a function that libmodbus supports is waiting (front_request()).
/// Threads: one caller at a time.
class ServerContext {
 public:
  ServerContext();  ///< throws std::bad_alloc

  /// libmodbus can wait for this descriptor.
  [[nodiscard]] static bool usable(int fd);

  /// Takes the request that waits on the socket (front_request() called it whole). Empty: that failed; close the
  /// socket.
  [[nodiscard]] std::vector<std::uint8_t> receive(int fd, std::span<const std::uint8_t> waiting);
  /// Responds with what the device responded (a good PDU). False: the client does not take it; close the socket.
  [[nodiscard]] bool reply(int fd, std::span<const std::uint8_t> request, std::span<const std::uint8_t> response);
  [[nodiscard]] bool reply_exception(int fd, std::span<const std::uint8_t> request, int code);

 private:
  struct Context;
  struct Free {
    void operator()(Context* context) const;
  };
  std::unique_ptr<Context, Free> context_;
};

}  // namespace baudbridge
