#include "bridge/paho_transport.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "bridge/announcements.h"
#include "bridge/connection_options.h"
#include "bridge/ended_connections.h"
#include "bridge/idle_watch.h"
#include "bridge/paho_connection.h"
#include "bridge/server_probe.h"
#include "bridge/topics.h"

namespace baudbridge {
namespace {

/// A failed connection is probed for so long, but for at most kProbeGrace after its connect_timeout.
constexpr Duration kLongestProbe = std::chrono::seconds(3);
constexpr Duration kProbeGrace = std::chrono::milliseconds(400);
/// The remedy, where it is known.
std::string remedy(ReasonCode code) {
  if (code == ReasonCode::unsupported_protocol_version) return ": set protocol = \"3.1.1\" (or \"5\") in [broker]";
  if (code == ReasonCode::client_identifier_not_valid) return ": set another client_id";
  if (is_bad_credentials(code)) return ": check username, password and client certificate";
  return "";
}

std::string no_broker_text(const ServerUrl& server, bool mqtt5) {
  return "connected, but the server does not answer as an MQTT broker: check that port " + std::to_string(server.port) +
         (server.websocket() ? " and path " + server.path + " are" : " is") + " the broker's" +
         (mqtt5 ? ", and set protocol = \"3.1.1\" if it does not support MQTT 5" : "");
}

class PahoTransport final : public Transport {
 public:
  PahoTransport(const BrokerConfig& broker, LinkPurpose purpose, std::function<void(LinkEvent)> sink)
      : broker_(broker), purpose_(std::move(purpose)), sink_(std::move(sink)) {}
  ~PahoTransport() override { disconnect(true); }
  PahoTransport(const PahoTransport&) = delete;
  PahoTransport& operator=(const PahoTransport&) = delete;

  void connect(Epoch epoch, std::size_t server) override;
  Result<void> publish(Epoch epoch, Token token, const Message& message) override {
    if (state_ != State::up || epoch != epoch_) return Error{Fault::closed, "the connection was lost"};
    return connection_->publish(token, message);
  }
  void service(Steady now) override;
  [[nodiscard]] Awaited awaited() const override;
  void disconnect(bool orderly) noexcept override;

 private:
  enum class State {
    idle,
    looking_up,  ///< the server's name
    waiting,     ///< for the library to free the previous handle
    connecting,  ///< one address
    up,
    explaining,  ///< probes the server for the reason of the failure
  };

  [[nodiscard]] const ServerUrl& server() const { return broker_.servers[server_]; }
  [[nodiscard]] ServerTerms& terms() {
    return terms_.try_emplace(server_, ServerTerms{broker_.keep_alive}).first->second;
  }
  void look_up(Steady now);
  void open_next(Steady now);
  void handle(LinkInbox::Entry entry, Steady now);
  void repeat_attempt();
  void come_up(const LinkUp& up);
  void go_down(LinkDown down, Steady now);
  void attempt_failed(bool timed_out, Steady now);
  void explain(Steady now);
  void watch_idle(Steady now);
  [[nodiscard]] bool learn(const LinkDown& down);
  void end_connection(bool with_will);
  void report_failure(const Error& error);
  void report_down(LinkDown down);

  const BrokerConfig broker_;
  const LinkPurpose purpose_;
  std::function<void(LinkEvent)> sink_;
  HostLookup lookup_;
  std::map<std::size_t, ServerTerms> terms_;  ///< by server
  std::shared_ptr<LinkInbox> inbox_ = std::make_shared<LinkInbox>();
  EndedConnections ended_{inbox_};
  ConnectionId last_id_ = 0;

  // The attempt, and the connection that results.
  State state_ = State::idle;
  Epoch epoch_ = 0;
  std::size_t server_ = 0;
  Steady deadline_{};               ///< of the attempt
  Steady step_until_{};             ///< of the lookup, of one address
  std::vector<std::string> hosts_;  ///< addresses, or the name, that are still to be tried
  std::shared_ptr<PahoConnection> connection_;
  std::optional<IdleWatch> idle_;
  std::optional<ServerProbe> probe_;
  bool timed_out_ = false;        ///< the attempt; otherwise it failed
  std::optional<LinkDown> down_;  ///< to be reported by the next service()
};

void PahoTransport::connect(Epoch epoch, std::size_t server) {
  disconnect(false);
  epoch_ = epoch;
  server_ = server;
  const Steady now = std::chrono::steady_clock::now();
  deadline_ = now + broker_.connect_timeout;
  step_until_ = std::min(deadline_, now + TcpDialer::kLongestLookup);
  hosts_.clear();
  timed_out_ = false;
  inbox_->reject_before(last_id_ + 1);
  state_ = State::looking_up;
  look_up(now);
}

void PahoTransport::disconnect(bool orderly) noexcept {
  down_.reset();
  probe_.reset();
  if (connection_ && orderly) connection_->send_disconnect(ReasonCode::success);
  end_connection(!orderly);
  inbox_->reject_before(last_id_ + 1);
  state_ = State::idle;
  epoch_ = 0;
}

/// Frees the handle; its further events are dropped, except commands.
void PahoTransport::end_connection(bool with_will) {
  if (connection_) ended_.add(std::exchange(connection_, nullptr), with_will);
  idle_.reset();
}

void PahoTransport::report_down(LinkDown down) {
  end_connection(true);
  probe_.reset();
  inbox_->reject_before(last_id_ + 1);
  state_ = State::idle;
  down.epoch = epoch_;
  down_ = std::move(down);
}

void PahoTransport::report_failure(const Error& error) {
  LinkDown down;
  down.reason = (timed_out_ || error.kind == Fault::timeout ? "timed out: " : "") + error.what;
  report_down(std::move(down));
}

// The steps of an attempt.

void PahoTransport::look_up(Steady now) {
  auto found = lookup_.find(server().host, server().port, Steady::min());
  if (!found) {
    if (found.error().kind == Fault::timeout && now < step_until_) return;
    return report_failure(Error{Fault::io, found.error().what});
  }
  // The certificate is checked against the name, and a virtual host is chosen by it.
  if (server().tls() || server().websocket()) {
    hosts_ = {server().host};
  } else {
    for (const addrinfo* one = found->get(); one != nullptr; one = one->ai_next) hosts_.push_back(address_text(*one));
  }
  state_ = State::waiting;
  open_next(now);
}

/// The next address, when the library has freed the previous handle.
void PahoTransport::open_next(Steady now) {
  if (!ended_.empty()) {
    if (now >= deadline_)
      report_failure(Error{Fault::timeout, "the MQTT library has not ended the previous connection"});
    return;
  }
  auto options = connection_options(broker_, purpose_, server(), hosts_.front(), terms());
  if (!options) return report_failure(options.error());
  const auto left = static_cast<Duration::rep>(hosts_.size());
  step_until_ = now + std::max(deadline_ - now, Duration::zero()) / left;
  hosts_.erase(hosts_.begin());
  options->id = ++last_id_;
  options->epoch = epoch_;
  connection_ = std::make_shared<PahoConnection>(std::move(*options), inbox_);
  state_ = State::connecting;
  if (const auto opened = connection_->open(); !opened) report_failure(opened.error());
}

/// One address failed, without a reason code of the broker.
void PahoTransport::attempt_failed(bool timed_out, Steady now) {
  end_connection(false);
  timed_out_ = timed_out;
  if (!hosts_.empty() && now < deadline_) {
    state_ = State::waiting;
    return open_next(now);
  }
  state_ = State::explaining;
  const Steady until = std::min(now + kLongestProbe, std::max(now, deadline_) + kProbeGrace);
  probe_.emplace(lookup_, server(), broker_, until);
  explain(now);
}

void PahoTransport::explain(Steady now) {
  const auto works = probe_->advance(now);
  if (!works) return report_failure(works.error());
  if (*works) report_failure(Error{Fault::io, no_broker_text(server(), broker_.mqtt5)});
}

// What the library reports.

void PahoTransport::service(Steady now) {
  for (auto& entry : inbox_->take()) handle(std::move(entry), now);
  switch (state_) {
    case State::looking_up:
      look_up(now);
      break;
    case State::waiting:
      open_next(now);
      break;
    case State::connecting:
      if (now >= step_until_) attempt_failed(true, now);
      break;
    case State::up:
      watch_idle(now);
      break;
    case State::explaining:
      explain(now);
      break;
    case State::idle:
      break;
  }
  if (const auto down = std::exchange(down_, std::nullopt)) sink_(*down);
}

void PahoTransport::handle(LinkInbox::Entry entry, Steady now) {
  // A command that a connection of this epoch has received was acknowledged by the library.
  if (const auto* incoming = std::get_if<Incoming>(&entry.event)) {
    if (incoming->epoch == epoch_) sink_(std::move(entry.event));
    return;
  }
  if (!connection_ || entry.connection != connection_->id()) return;
  if (const auto* up = std::get_if<LinkUp>(&entry.event)) return come_up(*up);
  if (auto* down = std::get_if<LinkDown>(&entry.event)) return go_down(std::move(*down), now);
  sink_(std::move(entry.event));
}

/// Repeats the attempt, with the terms of the server.
void PahoTransport::repeat_attempt() {
  end_connection(false);
  hosts_.clear();
  state_ = State::looking_up;
}

void PahoTransport::come_up(const LinkUp& up) {
  // Version 1.3.12 of the library ignores the broker's keep alive, and the broker would end the connection (MQTT 5.0
  // section 3.2.2.3.14): the attempt is repeated with it.
  const Duration required = up.server_keep_alive.value_or(Duration::zero());
  if (required > Duration::zero() && required < terms().keep_alive) {
    terms().keep_alive = required;
    return repeat_attempt();
  }
  state_ = State::up;
  idle_.emplace(required > Duration::zero() ? required : terms().keep_alive, broker_.ack_timeout);
  sink_(up);
}

void PahoTransport::go_down(LinkDown down, Steady now) {
  if (!down.was_up && !down.reason_code) return attempt_failed(false, now);
  if (!down.was_up) {
    if (learn(down)) return repeat_attempt();
    down.reason = "the broker rejected the connection: " + reason_text(*down.reason_code) + remedy(*down.reason_code);
  }
  report_down(std::move(down));
}

/// True: the broker requires other terms than this attempt had.
bool PahoTransport::learn(const LinkDown& down) {
  if (down.reason_code == ReasonCode::retain_not_supported) return std::exchange(terms().retained_will, false);
  if (down.reason_code == ReasonCode::qos_not_supported) return std::exchange(terms().will_qos, 0) > 0;
  return false;
}

void PahoTransport::watch_idle(Steady now) {
  if (!idle_) return;
  switch (idle_->check(now, connection_->received_at(), connection_->outstanding() > 0)) {
    case IdleWatch::Action::none:
      return;
    case IdleWatch::Action::probe:
      if (!connection_->probe()) idle_.reset();  // the library's keep alive remains
      return;
    case IdleWatch::Action::end:
      LinkDown down;
      down.reason = "the broker is unresponsive: no answer for " + duration_text(now - connection_->received_at()) +
                    " on an idle connection";
      down.was_up = true;
      down.unresponsive = true;
      report_down(std::move(down));
  }
}

Awaited PahoTransport::awaited() const {
  Awaited awaited{inbox_->descriptor(), POLLIN, Steady::max()};
  switch (state_) {
    case State::looking_up:
      awaited.descriptor = lookup_.answered_fd(server().host, server().port);
      awaited.due = awaited.descriptor < 0 ? Steady::min() : step_until_;
      break;
    case State::waiting:
      awaited.due = deadline_;
      break;
    case State::connecting:
      awaited.due = step_until_;
      break;
    case State::up:
      if (idle_) awaited.due = idle_->due();
      break;
    case State::explaining:
      awaited = probe_->awaited();
      break;
    case State::idle:
      break;
  }
  if (down_) awaited.due = Steady::min();
  return awaited;
}

/// Version 1.3.12 of the library uses them without being configured to, also for connections to this machine.
void ignore_proxies() {
  for (const char* name : {"http_proxy", "https_proxy"}) {
    if (std::getenv(name) != nullptr) ::unsetenv(name);
  }
}

}  // namespace

LinkPurpose gateway_purpose(const PublishConfig& publish) {
  const Topics topics(publish.base);
  return {topics.commands(), topics.state()};
}

std::unique_ptr<Transport> paho_transport(const BrokerConfig& broker, LinkPurpose purpose,
                                          std::function<void(LinkEvent)> sink) {
  ignore_proxies();
  return std::make_unique<PahoTransport>(broker, std::move(purpose), std::move(sink));
}

}  // namespace baudbridge
