#pragma once
// One connection over Paho MQTTAsync. Private to this folder; only its .cpp knows the library.
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bridge/broker_config.h"
#include "bridge/transport.h"

namespace baudbridge {

/// One attempt to reach a broker and the connection that comes of it: one client handle of the library, used once.
/// Threads: open(), subscribe() and close() may block as long as the library likes (it holds one lock for the whole
///          process, also across a name lookup): they come from one worker. publish() comes from the uplink, only while
///          the connection is up. `sink` is called on the library's threads.
/// Errors:  a LinkDown with was_up == false and no reason tells only what the library told, which is little.
class PahoConnection {
 public:
  struct Options {
    Epoch epoch = 0;
    std::string uri;       ///< as the library wants it, perhaps with the address in the place of the name
    std::string password;  ///< read for this attempt
    bool has_password = false;
    std::uint16_t keep_alive_s = 30;
    BrokerConfig broker;
    std::string will_topic;
    std::string will_payload;
    bool retained_will = true;
    int will_qos = 1;
    std::string subscription;
  };

  PahoConnection(Options options, std::function<void(LinkEvent)> sink);
  ~PahoConnection();
  PahoConnection(const PahoConnection&) = delete;
  PahoConnection& operator=(const PahoConnection&) = delete;

  Result<void> open();
  void subscribe();
  Result<void> publish(Token token, const Message& message);
  /// No event comes any more. Threads: any.
  void mute() { muted_ = true; }
  /// Ends it, and returns when the library has forgotten it. orderly: the broker shall not publish the will.
  void close(bool orderly);

  [[nodiscard]] Epoch epoch() const { return options_.epoch; }
  [[nodiscard]] bool muted() const { return muted_; }

 private:
  struct Callbacks;  // the library's C functions, in the .cpp
  struct Slot {
    PahoConnection* connection = nullptr;
    std::atomic<Token> token{0};  ///< 0: free
  };
  enum class State { connecting, up, ended };

  Slot* take_slot(Token token);
  void tell(LinkEvent event);
  /// The first of these ends the epoch, what comes after it is not told.
  void tell_down(LinkDown down);
  void send_disconnect_with_will();

  Options options_;
  std::function<void(LinkEvent)> sink_;
  void* handle_ = nullptr;
  std::atomic<State> state_{State::connecting};
  std::atomic<bool> muted_{false};
  std::vector<Slot> slots_;  ///< one for each message that is out: taken by publish(), freed by the library's threads
  std::size_t next_slot_ = 0;
  std::mutex disconnect_mutex_;  ///< guards the next two
  std::condition_variable disconnect_told_;
  bool disconnect_ended_ = false;
};

}  // namespace baudbridge
