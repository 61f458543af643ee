#include "bridge/link_keeper.h"

#include <algorithm>

#include "bridge/reason_code.h"
#include "core/backoff.h"

namespace baudbridge {
namespace {

constexpr Duration kLasting = std::chrono::minutes(1);
constexpr Duration kReminder = std::chrono::hours(1);
constexpr Duration kTakeoverWindow = std::chrono::minutes(1);
constexpr std::size_t kTakeovers = 3;
constexpr int kCredentialsFactor = 5;
/// The transport applies connect_timeout and reports what timed out; this limit is for a transport that reports
/// nothing.
constexpr Duration kGrace = std::chrono::milliseconds(500);
const std::string kNoServer = "no server";

}  // namespace

LinkKeeper::LinkKeeper(const BrokerConfig& broker, std::uint64_t seed, const Now& start)
    : broker_(broker), seed_(seed), next_(start.steady), changed_(start.steady), changed_utc_(start.utc) {}

const std::string& LinkKeeper::server_text() const {
  return server_ < broker_.servers.size() ? broker_.servers[server_].text : kNoServer;
}

std::optional<LinkKeeper::Attempt> LinkKeeper::due(const Now& now) {
  if (state_ != State::waiting || now.steady < next_ || broker_.servers.empty()) return std::nullopt;
  state_ = State::connecting;
  next_ = now.steady + broker_.connect_timeout + kGrace;
  return Attempt{++epoch_, server_};
}

void LinkKeeper::up(const LinkUp& up, const Now& now, Notices& notices) {
  state_ = State::up;
  std::string line = server_text() + ": connected";
  if (outage_failures_ > 0) {
    line += " after " + duration_text(now.steady - changed_) + " (" + std::to_string(outage_failures_) +
            (outage_failures_ == 1 ? " failure)" : " failures)");
  }
  if (loss_logged_) notices.info(std::move(line));
  loss_logged_ = false;
  changed_ = now.steady;
  changed_utc_ = now.utc;
  credential_failures_ = 0;
  tried_servers_ = 0;
  ++report_.connects;
  report_.session_present = up.session_present;
  report_.mqtt5 = up.mqtt5;
}

void LinkKeeper::down(const LinkDown& down, const Now& now, Notices& notices) {
  const bool was_up = state_ == State::up;
  const bool lasted = was_up && now.steady - changed_ >= kLasting;
  if (lasted) {
    failed_lists_ = 0;
    logged_.clear();
    outage_failures_ = 0;
  }
  const bool unexplained = was_up && !lasted && !down.reason_code;
  short_connections_ = unexplained ? short_connections_ + 1 : was_up ? 0 : short_connections_;
  ++outage_failures_;
  ++report_.failures;
  report_.last_error = server_text() + ": " + down.reason;
  log_down(down, now, notices);
  if (was_up) {
    changed_ = now.steady;
    changed_utc_ = now.utc;
  }
  state_ = State::waiting;
  next_ =
      now.steady + (lasted && !(down.reason_code && is_server_moved(*down.reason_code)) ? jitter(broker_.reconnect_min)
                                                                                        : delay_after(down, now));
}

Duration LinkKeeper::delay_after(const LinkDown& down, const Now& now) {
  const std::size_t failed = server_;
  const bool all_failed = !next_server();
  if (taken_over_often(down, now)) {
    server_ = failed;
    return std::max<Duration>(broker_.reconnect_max, std::chrono::seconds(1)) + jitter(broker_.reconnect_max / 4);
  }
  if (down.reason_code && is_server_moved(*down.reason_code) && !all_failed) return Duration::zero();
  if (down.reason_code && is_bad_credentials(*down.reason_code)) {
    ++credential_failures_;
    if (!all_failed) return jitter(broker_.reconnect_min);
    const Backoff backoff{broker_.reconnect_min * kCredentialsFactor, broker_.reconnect_max * kCredentialsFactor};
    return backoff.delay(credential_failures_, seed_ + epoch_);
  }
  if (!all_failed) return jitter(broker_.reconnect_min);
  return Backoff{broker_.reconnect_min, broker_.reconnect_max}.delay(++failed_lists_, seed_ + epoch_);
}

/// False: that was the last server of the list.
bool LinkKeeper::next_server() {
  const std::size_t servers = broker_.servers.size();
  server_ = (server_ + 1) % servers;
  if (++tried_servers_ < servers) return true;
  tried_servers_ = 0;
  return false;
}

Duration LinkKeeper::jitter(Duration longest) {
  return Backoff{Duration(1), std::max<Duration>(longest, Duration(1))}.delay(64, seed_ + epoch_ * 7919);
}

bool LinkKeeper::taken_over_often(const LinkDown& down, const Now& now) {
  if (down.reason_code != ReasonCode::session_taken_over) return false;
  takeovers_.push_back(now.steady);
  while (!takeovers_.empty() &&
         takeovers_.front() + std::max(kTakeoverWindow, 2 * broker_.reconnect_max) < now.steady) {
    takeovers_.pop_front();
  }
  return takeovers_.size() >= kTakeovers;
}

/// The remedy, where it is known.
std::string LinkKeeper::advice(const LinkDown& down) const {
  if (down.reason_code == ReasonCode::session_taken_over) {
    return ": another client connects with the id \"" + broker_.client_id + "\": set another client_id";
  }
  if (!down.server_reference.empty()) return "; the broker refers to " + down.server_reference + ": set it in urls";
  if (short_connections_ >= kTakeovers) {
    return " (" + std::to_string(short_connections_) +
           " times in a row soon after connecting: check that no other client uses the id \"" + broker_.client_id +
           "\")";
  }
  return "";
}

void LinkKeeper::log_down(const LinkDown& down, const Now& now, Notices& notices) {
  const std::string remedy = advice(down);
  const std::string reason = down.reason + (short_connections_ >= kTakeovers ? "(repeatedly)" : "");
  Logged& logged = logged_[server_];
  const bool reminder = logged.reason == reason;
  if (reminder && now.steady - logged.at < kReminder) return;
  logged = {reason, now.steady};
  loss_logged_ = true;
  std::string line = server_text() + ": " + down.reason + remedy;
  if (reminder) line += " (" + std::to_string(outage_failures_) + " failures so far)";
  notices.warn(std::move(line));
}

void LinkKeeper::retry_now(const Now& now) {
  if (state_ == State::waiting) next_ = std::min(next_, now.steady);
}

Steady LinkKeeper::wake_at() const {
  return state_ == State::up || broker_.servers.empty() ? Steady::max() : next_;
}

LinkReport LinkKeeper::report(const Now& now) const {
  LinkReport report = report_;
  report.connected = is_up();
  report.server = server_text();
  report.since = changed_utc_;
  report.lasts = now.steady - changed_;
  return report;
}

}  // namespace baudbridge
