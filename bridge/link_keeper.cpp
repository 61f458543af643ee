#include "bridge/link_keeper.h"

#include <algorithm>

#include "bridge/reasons.h"
#include "core/backoff.h"

namespace baudbridge {
namespace {

constexpr Duration kStable = std::chrono::minutes(1);
constexpr Duration kReminder = std::chrono::hours(1);
constexpr Duration kTakeoverWindow = std::chrono::minutes(1);
constexpr std::size_t kTakeovers = 3;
constexpr int kRejectionPatience = 5;
/// The transport keeps connect_timeout and can say what was missing; this is for one that says nothing.
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
    line += " after " + duration_text(now.steady - changed_) + ", " + std::to_string(outage_failures_) +
            (outage_failures_ == 1 ? " failure" : " failures");
  }
  if (loss_told_) notices.info(std::move(line));
  loss_told_ = false;
  changed_ = now.steady;
  changed_utc_ = now.utc;
  rejections_ = 0;
  tried_in_round_ = 0;
  ++report_.connects;
  report_.session_present = up.session_present;
  report_.mqtt5 = up.mqtt5;
}

void LinkKeeper::down(const LinkDown& down, const Now& now, Notices& notices) {
  const bool was_up = state_ == State::up;
  const bool stood = was_up && now.steady - changed_ >= kStable;
  if (stood) {
    rounds_ = 0;
    told_.clear();
    outage_failures_ = 0;
  }
  const bool unexplained = was_up && !stood && !down.reason;
  short_lives_ = unexplained ? short_lives_ + 1 : was_up ? 0 : short_lives_;
  ++outage_failures_;
  ++report_.failures;
  report_.last_error = server_text() + ": " + down.why;
  tell_down(down, now, notices);
  if (was_up) {
    changed_ = now.steady;
    changed_utc_ = now.utc;
  }
  state_ = State::waiting;
  next_ = now.steady + (stood && !(down.reason && is_server_moved(*down.reason)) ? jitter(broker_.reconnect_min)
                                                                                 : delay_after(down, now));
}

Duration LinkKeeper::delay_after(const LinkDown& down, const Now& now) {
  const std::size_t asked = server_;
  const bool whole_round = !next_server();
  if (taken_over_often(down, now)) {
    server_ = asked;
    return std::max<Duration>(broker_.reconnect_max, std::chrono::seconds(1)) + jitter(broker_.reconnect_max / 4);
  }
  if (down.reason && is_server_moved(*down.reason) && !whole_round) return Duration::zero();
  if (down.reason && is_bad_credentials(*down.reason)) {
    ++rejections_;
    if (!whole_round) return jitter(broker_.reconnect_min);
    const Backoff backoff{broker_.reconnect_min * kRejectionPatience, broker_.reconnect_max * kRejectionPatience};
    return backoff.delay(rejections_, seed_ + epoch_);
  }
  if (!whole_round) return jitter(broker_.reconnect_min);
  return Backoff{broker_.reconnect_min, broker_.reconnect_max}.delay(++rounds_, seed_ + epoch_);
}

/// False: that was the last one of a round.
bool LinkKeeper::next_server() {
  const std::size_t servers = broker_.servers.size();
  server_ = (server_ + 1) % servers;
  if (++tried_in_round_ < servers) return true;
  tried_in_round_ = 0;
  return false;
}

Duration LinkKeeper::jitter(Duration longest) {
  return Backoff{Duration(1), std::max<Duration>(longest, Duration(1))}.delay(64, seed_ + epoch_ * 7919);
}

bool LinkKeeper::taken_over_often(const LinkDown& down, const Now& now) {
  if (down.reason != kSessionTakenOver) return false;
  takeovers_.push_back(now.steady);
  while (!takeovers_.empty() &&
         takeovers_.front() + std::max(kTakeoverWindow, 2 * broker_.reconnect_max) < now.steady) {
    takeovers_.pop_front();
  }
  return takeovers_.size() >= kTakeovers;
}

/// What its user can do about it, where that is known.
std::string LinkKeeper::advice(const LinkDown& down) const {
  if (down.reason == kSessionTakenOver) {
    return ": another client connects with the id \"" + broker_.client_id + "\"; give each its own client_id";
  }
  if (!down.server_reference.empty()) return "; it names " + down.server_reference + ": set that in urls";
  if (short_lives_ >= kTakeovers) {
    return " (" + std::to_string(short_lives_) +
           " times in a row soon after connecting: does another client use the id \"" + broker_.client_id + "\"?)";
  }
  return "";
}

void LinkKeeper::tell_down(const LinkDown& down, const Now& now, Notices& notices) {
  const std::string what = advice(down);
  const std::string known = down.why + (short_lives_ >= kTakeovers ? "(repeatedly)" : "");
  Told& told = told_[server_];
  if (told.why == known && now.steady - told.at < kReminder) return;
  const bool reminder = told.why == known;
  told = {known, now.steady};
  loss_told_ = true;
  std::string line = server_text() + ": " + down.why + what;
  if (reminder) line += " (still; " + std::to_string(outage_failures_) + " failures so far)";
  notices.warn(std::move(line));
}

void LinkKeeper::hurry(const Now& now) {
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
