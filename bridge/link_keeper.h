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
  std::string server;    ///< the one connected to, or tried last
  Milliseconds since{};  ///< utc: connected, or not connected, since
  Duration lasts{};      ///< the same by the steady clock
  std::uint64_t connects = 0;
  std::uint64_t failures = 0;  ///< attempts that failed and connections that were lost
  std::string last_error;      ///< kept after the link is up again
  bool session_present = false;
  bool mqtt5 = true;
};

/// The life cycle of the connection: servers in turn, back-off with jitter, a deadline for each attempt, and what is
/// told about it (a loss once, the same failure again once an hour, the return with how long it took).
///
/// How long until the next attempt:
/// - a link that stood for a minute and is lost: up to reconnect_min, at random, then as after a failure;
/// - a failed attempt, or a link that did not stand: the next server of the list after up to reconnect_min; after a
/// round
///   through all of them reconnect_min doubling to reconnect_max, at random in between;
/// - user, password or client id refused: five times as patient (5 s to 5 min by default), the files read anew each
/// time;
/// - taken over by another client with our id three times a minute: at least reconnect_max (60 s by default);
/// - server moved or shutting down, and there is another: that one at once.
/// Threads: one owner.
class LinkKeeper {
 public:
  struct Attempt {
    Epoch epoch = 0;
    std::size_t server = 0;
  };

  LinkKeeper(const BrokerConfig& broker, std::uint64_t seed, const Now& start);

  /// The attempt to start now, if one is due; it counts as started.
  std::optional<Attempt> due(const Now& now);
  /// The attempt has had its connect_timeout, and the transport has not said so.
  [[nodiscard]] bool overdue(const Now& now) const { return state_ == State::connecting && now.steady >= next_; }
  void up(const LinkUp& up, const Now& now, Notices& notices);
  /// The attempt failed or the link is gone. Not to be called when idle.
  void down(const LinkDown& down, const Now& now, Notices& notices);
  /// Something has changed that may make the next attempt succeed (the clock was set: certificates may be valid now).
  void hurry(const Now& now);

  /// Of the current attempt or link; events of others are old.
  [[nodiscard]] bool current(Epoch epoch) const { return state_ != State::waiting && epoch == epoch_; }
  [[nodiscard]] Epoch epoch() const { return epoch_; }
  [[nodiscard]] bool is_up() const { return state_ == State::up; }
  [[nodiscard]] bool connecting() const { return state_ == State::connecting; }
  [[nodiscard]] const std::string& server_text() const;
  /// When due() or overdue() will have something to say; far away while the link is up.
  [[nodiscard]] Steady wake_at() const;
  [[nodiscard]] LinkReport report(const Now& now) const;

 private:
  enum class State { waiting, connecting, up };

  Duration delay_after(const LinkDown& down, const Now& now);
  Duration jitter(Duration longest);
  bool next_server();
  void tell_down(const LinkDown& down, const Now& now, Notices& notices);
  [[nodiscard]] bool taken_over_often(const LinkDown& down, const Now& now);
  [[nodiscard]] std::string advice(const LinkDown& down) const;

  struct Told {
    std::string why;
    Steady at{};
  };

  BrokerConfig broker_;
  std::uint64_t seed_;
  State state_ = State::waiting;
  Epoch epoch_ = 0;
  std::size_t server_ = 0;
  std::size_t tried_in_round_ = 0;
  unsigned rounds_ = 0;       ///< rounds through all servers that went wrong, in a row
  unsigned short_lives_ = 0;  ///< links in a row that were lost soon and without a reason
  unsigned rejections_ = 0;   ///< refused credentials in a row
  Steady next_{};             ///< waiting: the next attempt; connecting: its deadline
  Steady changed_{};          ///< when the link last came or went
  Milliseconds changed_utc_{};
  std::uint64_t outage_failures_ = 0;
  bool loss_told_ = true;  ///< so the return is worth a line, too
  std::deque<Steady> takeovers_;
  std::map<std::size_t, Told> told_;  ///< by server, since the link was last up
  LinkReport report_;
};

}  // namespace baudbridge
