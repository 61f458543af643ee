#pragma once
// What the running service answers to `baudbridge queue`.
#include <string>

#include "src/control/control_socket.h"
#include "src/json.h"

namespace baudbridge {

class Gateway;

/// Answers the requests about the queue: queue_stat, queue_list, queue_import, queue_requeue, queue_purge.
/// Threads: one owner; the work is done on the uplink's thread, page by page.
class QueueRequests {
 public:
  /// The gateway must outlive it.
  explicit QueueRequests(Gateway& gateway) : gateway_(gateway) {}

  /// what: the request's "do". False: it is no request about the queue, and nothing was answered.
  bool answer(const std::string& what, const Json& request, const ControlReply& reply);

 private:
  void import(const Json& request, const ControlReply& reply);
  void requeue(const Json& request, const ControlReply& reply);

  Gateway& gateway_;
};

}  // namespace baudbridge
