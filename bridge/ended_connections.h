#pragma once
// Handles of the MQTT library that are no longer in use, until the library has freed them.
#include <atomic>
#include <list>
#include <memory>
#include <thread>

#include "bridge/paho_connection.h"

namespace baudbridge {

/// Frees connections on a thread each, because the library blocks for up to a second, or for as long as it waits for
/// a name server.
/// Threads: the transport's owner.
class EndedConnections {
 public:
  explicit EndedConnections(std::shared_ptr<LinkInbox> inbox) : inbox_(std::move(inbox)) {}
  /// Waits for at most kLongestWait. What the library has not freed by then is left to it.
  ~EndedConnections();
  EndedConnections(const EndedConnections&) = delete;
  EndedConnections& operator=(const EndedConnections&) = delete;

  /// with_will: so that the broker publishes the will.
  void add(const std::shared_ptr<PahoConnection>& connection, bool with_will);
  /// True: none is being freed, and a new handle may be made; the inbox is rung when that becomes so. While another
  /// handle exists, a connect takes the library 1.1 s. And in the library a write that fails frees a message twice, at
  /// once and with its handle (eclipse-paho/paho.mqtt.c #1622); its list of allocations makes the second time harmless
  /// as long as no other handle is in use.
  [[nodiscard]] bool empty();

  static constexpr Duration kLongestWait = std::chrono::seconds(3);

 private:
  struct Release {
    std::shared_ptr<std::atomic<bool>> done;
    std::thread thread;
  };

  std::shared_ptr<LinkInbox> inbox_;
  std::list<Release> releases_;
};

}  // namespace baudbridge
