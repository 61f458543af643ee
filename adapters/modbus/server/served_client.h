#pragma once
// One connected client of a shared bus.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "adapters/forward_queue.h"
#include "adapters/modbus/server/server_context.h"
#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// The socket of one client and the one request of it that is in work. Bytes stay in the socket until a whole request
/// is there, and all further requests until this one is answered: the client then has to wait, as TCP makes it. So a
/// client costs a descriptor and at most one request, whatever it sends.
/// Threads: the server's.
class ServedClient {
 public:
  /// A request that began but did not end within this time is malformed.
  static constexpr Duration kHalfRequest = std::chrono::seconds(2);

  enum class State {
    open,
    gone,       ///< the client closed the connection, or it broke
    malformed,  ///< what it sent is no Modbus TCP
  };
  /// The result of reading its socket.
  struct Taken {
    State state = State::open;
    std::vector<std::uint8_t> request;  ///< a whole ADU to be answered with answer() or answer_exception(); empty: none
  };

  ServedClient(UniqueFd socket, std::string name, Steady now);

  /// What poll(2) is to wait for, and until when at the latest.
  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] short events() const;
  [[nodiscard]] Steady look_at() const;

  /// After poll(2) returned these events for it.
  [[nodiscard]] Taken look(short events, ServerContext& context, Steady now);

  /// The request was forwarded, and its response is waited for.
  void forwarded(std::vector<std::uint8_t> request, ForwardQueue::Ticket ticket);
  [[nodiscard]] std::optional<ForwardQueue::Ticket> ticket() const { return ticket_; }
  [[nodiscard]] const std::vector<std::uint8_t>& request() const { return request_; }
  /// Something was sent to it. It is not looked at for a further request until it can take that request's response.
  void answered(Steady now);

  [[nodiscard]] Steady active_at() const { return active_at_; }    ///< when its last request ended
  [[nodiscard]] const std::string& name() const { return name_; }  ///< its address

 private:
  [[nodiscard]] Taken take_request(bool ended, ServerContext& context, Steady now);
  void wait_for_bytes(std::size_t count);

  UniqueFd socket_;
  std::string name_;
  std::optional<ForwardQueue::Ticket> ticket_;
  std::vector<std::uint8_t> request_;  ///< the ADU that belongs to the ticket
  std::optional<Steady> half_until_;   ///< a part of a request is there
  Steady active_at_;
  std::size_t waited_bytes_ = 1;
  bool congested_ = false;  ///< it does not read what is sent to it
};

}  // namespace baudbridge
