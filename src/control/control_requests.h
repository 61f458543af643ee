#pragma once
// What the running service answers over its socket.
#include <memory>
#include <string>

#include "core/time.h"
#include "src/control/control_socket.h"
#include "src/control/queue_requests.h"

namespace baudbridge {

class Gateway;
class LatestValues;

/// Answers one line of JSON, {"do":"<request>",...}, with one line of JSON, {"ok":true,...} or {"ok":false,"error":"..."}.
/// docs/operation.md lists the requests.
/// Threads: one owner; the work is done on the uplink's thread, page by page, so that no request holds it up.
class ControlRequests {
 public:
  /// The gateway must outlive it.
  explicit ControlRequests(Gateway& gateway) : gateway_(gateway), queue_(gateway) {}

  void answer(const std::string& request, const ControlReply& reply, Steady now);
  /// Stops collecting values that no client has asked for lately. Call it now and then.
  void tidy(Steady now);

  static constexpr Duration kWatchedFor = std::chrono::seconds(10);  ///< after the last request

 private:
  [[nodiscard]] std::string answer_head() const;
  void status(const ControlReply& reply);
  void values(const ControlReply& reply, Steady now);

  Gateway& gateway_;
  QueueRequests queue_;
  std::shared_ptr<LatestValues> values_;  ///< only while a client watches; its content belongs to the uplink's thread
  Steady asked_at_{};
};

/// {"ok":false,"error":"..."}
[[nodiscard]] std::string refusal_json(const std::string& error);

}  // namespace baudbridge
