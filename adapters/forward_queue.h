#pragma once
// Requests of other masters and their responses, between the server and the bus thread.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// A request of another master, as its protocol data unit.
struct ForwardedRequest {
  std::uint8_t unit = 0;
  std::vector<std::uint8_t> pdu;
};

/// The device's response as protocol data unit, or why there is none. Fault::exception: the device's own exception
/// code; unplugged, closed: the bus is not open; full: the bus had no time for it; any other: no usable response.
using ForwardedResponse = Result<std::vector<std::uint8_t>>;

/// A bounded channel between the server of a shared bus and the bus's thread. Requests wait in the order of their
/// arrival; since a client has at most one in here (Source: MODBUS Messaging on TCP/IP Implementation Guide 1.0b,
/// section 4.4.1.3: a server may limit it to one), clients are served in turn.
/// While the bus is not open a request is answered at once.
/// Threads: post(), cancel(), take_responses() from the server's; the others from the bus's.
/// Errors:  the constructor throws std::system_error when the process has no descriptor left.
class ForwardQueue {
 public:
  using Ticket = std::uint64_t;

  struct Waiting {
    Ticket ticket = 0;
    ForwardedRequest request;
    Steady arrived{};
  };
  struct Response {
    Ticket ticket = 0;
    ForwardedResponse response;
  };

  ForwardQueue();

  /// The ticket comes back with the response.
  Ticket post(ForwardedRequest request, Steady now);
  /// The client is gone: a request that was not taken yet is dropped. A response may come all the same.
  void cancel(Ticket ticket);
  /// Responses since the last call, oldest first.
  [[nodiscard]] std::vector<Response> take_responses();
  /// Readable while take_responses() would return something.
  [[nodiscard]] int responses_fd() const { return responses_bell_.get(); }

  /// The first request that `ready` accepts; respond to it with answer(). After this call requests_fd() is not
  /// readable until another request is posted.
  [[nodiscard]] std::optional<Waiting> take(const std::function<bool(const ForwardedRequest&)>& ready);
  /// Answers, with this error, the requests that arrived before.
  void expire(Steady before, const Error& why);
  void answer(Ticket ticket, ForwardedResponse response);
  /// Readable when a request was posted since the last take().
  [[nodiscard]] int requests_fd() const { return requests_bell_.get(); }

  void bus_opened();
  /// Answers all that waits with this error, and all that is posted until bus_opened().
  void bus_closed(const Error& why);

 private:
  void respond(Ticket ticket, ForwardedResponse response);

  UniqueFd requests_bell_;
  UniqueFd responses_bell_;
  mutable std::mutex mutex_;
  bool requests_rung_ = false;
  bool responses_rung_ = false;
  std::deque<Waiting> waiting_;
  std::vector<Response> responses_;
  std::optional<Error> closed_;  ///< why the bus is not open
  Ticket last_ticket_ = 0;
};

}  // namespace baudbridge
