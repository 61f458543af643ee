#pragma once
// Decides when to connect, and to which server. Pure.
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "bridge/broker_config.h"
#include "bridge/notices.h"
#include "bridge/transport.h"
#include "core/time.h"

namespace baudbridge {

/// The connection as `status` shows it.
struct LinkReport {
  bool connected = false;
  std::string server;    ///< of the connection, or of the last attempt
  Milliseconds since{};  ///< utc: connected, or not connected, since
  Duration lasts{};      ///< since then, by the steady clock
  std::uint64_t connects = 0;
  std::uint64_t failures = 0;  ///< attempts that failed and connections that were lost
  std::string last_error;      ///< kept after the link is up again
  bool session_present = false;
  bool mqtt5 = true;
};

/// The life cycle of the connection: servers in turn, back-off with jitter, a deadline for each attempt, and its log
/// lines (a loss once, the same failure again once an hour, the new connection with the duration of the outage).
///
/// The delay before the next attempt:
/// - a connection of a minute or more was lost: up to reconnect_min, at random, then as after a failure;
/// - an attempt failed, or a shorter connection was lost: the next server of the list after up to reconnect_min; after
///   the last server reconnect_min, doubling to reconnect_max, with jitter;
/// - user, password or client id were rejected: five times these delays (5 s to 5 min by default);
/// - another client with the same id took the session over three times a minute: at least reconnect_max (60 s by
///   default);
/// - the server has moved or shuts down, and there is another one: none.
/// Threads: one owner.
class LinkKeeper {
 public:
  struct Attempt {
    Epoch epoch = 0;
    std::size_t server = 0;
  };

  LinkKeeper(const BrokerConfig& broker, std::uint64_t seed, const Now& start);

  /// The attempt to start now, if one is due.
  std::optional<Attempt> due(const Now& now);
  /// The transport has not reported the end of an attempt within connect_timeout.
  [[nodiscard]] bool overdue(const Now& now) const { return state_ == State::connecting && now.steady >= next_; }
  void up(const LinkUp& up, const Now& now, Notices& notices);
  /// The attempt failed, or the connection ended. There must have been one.
  void down(const LinkDown& down, const Now& now, Notices& notices);
  /// Makes the next attempt due: the clock was set, so that certificates may be valid now.
  void retry_now(const Now& now);

  /// The epoch is that of the current attempt or connection.
  [[nodiscard]] bool current(Epoch epoch) const { return state_ != State::waiting && epoch == epoch_; }
  [[nodiscard]] Epoch epoch() const { return epoch_; }
  [[nodiscard]] bool is_up() const { return state_ == State::up; }
  [[nodiscard]] bool connecting() const { return state_ == State::connecting; }
  [[nodiscard]] const std::string& server_text() const;
  /// When to call due() and overdue() next; far away while connected.
  [[nodiscard]] Steady wake_at() const;
  [[nodiscard]] LinkReport report(const Now& now) const;

 private:
  enum class State { waiting, connecting, up };

  Duration delay_after(const LinkDown& down, const Now& now);
  Duration jitter(Duration longest);
  bool next_server();
  void log_down(const LinkDown& down, const Now& now, Notices& notices);
  [[nodiscard]] bool taken_over_often(const LinkDown& down, const Now& now);
  [[nodiscard]] std::string advice(const LinkDown& down) const;

  struct Logged {
    std::string reason;
    Steady at{};
  };

  BrokerConfig broker_;
  std::uint64_t seed_;
  State state_ = State::waiting;
  Epoch epoch_ = 0;
  std::size_t server_ = 0;
  std::size_t tried_servers_ = 0;     ///< of the list, since its beginning
  unsigned failed_lists_ = 0;         ///< times that all servers failed, in a row
  unsigned short_connections_ = 0;    ///< connections lost soon and without a reason code, in a row
  unsigned credential_failures_ = 0;  ///< in a row
  Steady next_{};                     ///< waiting: the next attempt; connecting: its deadline
  Steady changed_{};                  ///< when the last connection began or ended
  Milliseconds changed_utc_{};
  std::uint64_t outage_failures_ = 0;
  bool loss_logged_ = true;  ///< so the next connection is logged
  std::deque<Steady> takeovers_;
  std::map<std::size_t, Logged> logged_;  ///< by server, since the last lasting connection
  LinkReport report_;
};

}  // namespace baudbridge
