#pragma once
// The events of a connection on their way from the MQTT library's threads to the transport's owner.
#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "bridge/transport.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// Numbers the handles of the library in the order of their creation; never used twice.
using ConnectionId = std::uint64_t;

/// A list of events and a descriptor that is readable while there are events.
/// Threads: append() and ring() from any; the others from the transport's owner.
/// Errors:  the constructor throws std::system_error when the process has no descriptor left.
class LinkInbox {
 public:
  struct Entry {
    ConnectionId connection = 0;
    LinkEvent event;
  };

  LinkInbox() : bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!bell_) throw std::system_error(errno, std::generic_category(), "eventfd");
  }

  void append(ConnectionId connection, LinkEvent event) {
    {
      const std::lock_guard lock(mutex_);
      if (connection < first_) return;
      entries_.push_back({connection, std::move(event)});
      if (std::exchange(rung_, true)) return;
    }
    ::eventfd_write(bell_.get(), 1);
  }
  /// Makes the descriptor readable without an event.
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(rung_, true)) return;
    }
    ::eventfd_write(bell_.get(), 1);
  }

  /// All events so far, in their order; the descriptor is not readable afterwards.
  std::vector<Entry> take() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(rung_, false)) {
      eventfd_t count = 0;
      ::eventfd_read(bell_.get(), &count);
    }
    return std::exchange(entries_, {});
  }
  /// Events of connections before this one are dropped, those that wait and those to come.
  void reject_before(ConnectionId first) {
    const std::lock_guard lock(mutex_);
    first_ = first;
    std::erase_if(entries_, [first](const Entry& entry) { return entry.connection < first; });
  }

  [[nodiscard]] int descriptor() const { return bell_.get(); }

 private:
  UniqueFd bell_;
  std::mutex mutex_;  ///< guards what follows; held for a moment only
  std::vector<Entry> entries_;
  ConnectionId first_ = 0;
  bool rung_ = false;
};

}  // namespace baudbridge
