#pragma once
// One handle of Paho MQTTAsync. Private to this folder; only its .cpp includes the library.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bridge/link_inbox.h"
#include "bridge/transport.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge {

/// One attempt to connect to one address of a broker and the connection that results: a client handle, used once.
/// The library's callbacks append events to the inbox and do nothing else.
/// Threads: open(), publish(), probe() and send_disconnect() from the transport's owner; end_with_will() and destroy()
///          from any one thread afterwards. They block for up to a second, or as long as the library's lock is held.
/// Errors:  a LinkDown with was_up == false and no reason: the library does not report why.
class PahoConnection {
 public:
  struct Options {
    ConnectionId id = 0;
    Epoch epoch = 0;
    std::string uri;  ///< scheme, name or address, port, path
    std::uint16_t port = 0;
    bool mqtt5 = true;
    std::string client_id;
    std::string username;
    std::optional<std::string> password;
    std::optional<Message> will;
    std::string subscription;  ///< a topic filter, QoS 1; empty: none
    bool clean = false;        ///< clean start; under 3.1.1 a clean session
    std::int64_t session_expiry_s = 0;
    int keep_alive_s = 30;
    int connect_timeout_s = 10;        ///< of the library; the transport's deadline is earlier
    std::size_t most_in_flight = 100;  ///< messages of all kinds
    std::int64_t largest_incoming_bytes = 0;
    std::string ca_file;  ///< empty: the system's store
    std::string cert_file;
    std::string key_file;
    std::vector<std::string> alpn;
  };

  PahoConnection(Options options, std::shared_ptr<LinkInbox> inbox);
  ~PahoConnection();
  PahoConnection(const PahoConnection&) = delete;
  PahoConnection& operator=(const PahoConnection&) = delete;

  Result<void> open();
  /// Success after the connection was lost: its LinkDown is in the inbox. Errors: refused: this message can never be
  /// sent; closed: the connection is not up yet; io: the library accepts no more.
  Result<void> publish(Token token, const Message& message);
  /// Requests an answer of the broker: the same subscription again, which changes nothing. False: there is none to
  /// repeat.
  bool probe();
  /// DISCONNECT with this reason code (MQTT 5) and a wait of at most kDisconnectTimeout until it was written.
  void send_disconnect(ReasonCode code);
  /// Ends a connection that is up so that the broker publishes the will: DISCONNECT with reason code 0x04 (MQTT 5.0
  /// section 3.14.2.1). MQTT 3.1.1 has no reason code, and the library ends no connection without DISCONNECT: there the
  /// TCP connection is ended below the library.
  void end_with_will();
  /// Frees the handle; no callback follows. A connection that is up is ended with DISCONNECT.
  void destroy();

  [[nodiscard]] ConnectionId id() const { return options_.id; }
  /// Messages that were published and neither acknowledged nor rejected.
  [[nodiscard]] std::size_t outstanding() const { return outstanding_; }
  /// When the broker last answered anything that the library reports.
  [[nodiscard]] Steady received_at() const { return Steady(Duration(received_at_)); }

  static constexpr Duration kDisconnectTimeout = std::chrono::milliseconds(500);

 private:
  struct Callbacks;  // the library's C functions, in the .cpp
  /// One published message. Threads: occupied by publish(), freed by the library's threads.
  struct Slot {
    PahoConnection* connection = nullptr;
    int qos = 0;
    std::atomic<Token> token{0};  ///< 0: free
  };
  enum class State { connecting, up, ended };

  [[nodiscard]] Slot* free_slot();
  void append(LinkEvent event) { inbox_->append(options_.id, std::move(event)); }
  /// The first call ends the connection; later ones have no effect.
  void append_down(LinkDown down);
  void free_slot(Slot& slot);
  void note_received();
  int subscribe();

  Options options_;
  std::shared_ptr<LinkInbox> inbox_;
  void* handle_ = nullptr;
  std::atomic<State> state_{State::connecting};
  std::atomic<bool> subscribed_{false};
  std::atomic<bool> probed_{false};
  std::atomic<std::size_t> outstanding_{0};
  std::atomic<Duration::rep> received_at_{0};
  std::vector<Slot> slots_;
  std::size_t next_slot_ = 0;
  std::mutex disconnect_mutex_;  ///< guards the next two
  std::condition_variable disconnect_ended_signal_;
  bool disconnect_ended_ = false;
};

}  // namespace baudbridge
