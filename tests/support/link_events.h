#pragma once
// The events of a transport, for a test to wait for; the test is the transport's owner meanwhile.
#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <variant>

#include "bridge/transport.h"
#include "core/poll_until.h"
#include "support/process.h"

namespace baudbridge::testing {

/// Does what the owner of a transport does, until `enough()` or the deadline. False: the deadline.
inline bool serve(Transport& transport, const std::function<bool()>& enough, Duration timeout = kTestTimeout) {
  constexpr Duration kCheckEvery = std::chrono::milliseconds(5);  // for what is not the transport's
  const Steady deadline = std::chrono::steady_clock::now() + timeout;
  while (!enough()) {
    const Steady now = std::chrono::steady_clock::now();
    if (now >= deadline) return false;
    const Awaited awaited = transport.awaited();
    pollfd waiting{awaited.descriptor, awaited.events, 0};
    poll_until({&waiting, 1}, std::min({deadline, awaited.due, now + kCheckEvery}));
    transport.service(std::chrono::steady_clock::now());
  }
  return true;
}

/// Threads: one.
class LinkEvents {
 public:
  std::function<void(LinkEvent)> sink() {
    return [this](LinkEvent event) { events_.push_back(std::move(event)); };
  }

  /// The next event, of whatever kind; none: nothing came.
  std::optional<LinkEvent> next(Transport& transport, Duration timeout = kTestTimeout) {
    if (!serve(
            transport, [this] { return !events_.empty(); }, timeout))
      return std::nullopt;
    LinkEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  /// The next event of that kind; others before it are dropped.
  template <class Kind>
  std::optional<Kind> next_of(Transport& transport, Duration timeout = kTestTimeout) {
    while (auto event = next(transport, timeout)) {
      if (auto* wanted = std::get_if<Kind>(&*event)) return std::move(*wanted);
    }
    return std::nullopt;
  }

 private:
  std::deque<LinkEvent> events_;
};

}  // namespace baudbridge::testing
