#include "bridge/paho_transport.h"

#include <pthread.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "bridge/announcements.h"
#include "bridge/name_lookup.h"
#include "bridge/paho_connection.h"
#include "bridge/reasons.h"
#include "bridge/tls_files.h"
#include "core/mailbox.h"

namespace baudbridge {
namespace {

constexpr Duration kLongestLookup = std::chrono::seconds(5);
constexpr Duration kDiagnosis = std::chrono::seconds(3);
constexpr Duration kFarewell = std::chrono::seconds(3);

/// What a server has been found to insist on.
struct Terms {
  Duration keep_alive{};
  bool retained_will = true;
  int will_qos = 1;
};
struct Open {
  Epoch epoch = 0;
  std::size_t server = 0;
  std::optional<Terms> terms{};  ///< learned by the same attempt
};
struct Subscribe {
  Epoch epoch = 0;
};
struct Explain {
  LinkDown down;
  std::size_t server = 0;
};
struct Close {
  Epoch epoch = 0;
  bool orderly = false;
};
struct End {};
using Job = std::variant<Open, Subscribe, Explain, Close, End>;

std::string uri_of(const ServerUrl& server, const std::string& host) {
  const bool brackets = host.find(':') != std::string::npos;
  return server.scheme + "://" + (brackets ? "[" + host + "]" : host) + ":" + std::to_string(server.port) + server.path;
}

std::string refusal_of_connection(Reason reason) {
  std::string text = "the broker refused the connection: " + reason_text(reason);
  if (reason == 0x84) return text + ": set protocol = \"3.1.1\" (or \"5\") in [broker]";
  if (reason == 0x85) return text + ": set another client_id";
  if (is_bad_credentials(reason)) return text + ": check username, password and client certificate";
  return text;
}

Epoch epoch_of(const LinkEvent& event) {
  return std::visit([](const auto& one) { return one.epoch; }, event);
}

/// What the uplink's thread, the library's threads and the worker share. The worker alone talks to the library, except
/// for publishing; if the library never comes back, the worker and this are left behind.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(BrokerConfig broker, const PublishConfig& publish, std::function<void(LinkEvent)> sink)
      : broker_(std::move(broker)),
        state_topic_(Encoder(publish, 1).topic(kBridgeDevice, "state")),
        subscription_(publish.base + "/+/set"),
        sink_(std::move(sink)) {}

  // Called by the uplink's thread.

  void want(Epoch epoch, std::size_t server) {
    {
      const std::lock_guard lock(mutex_);
      wanted_ = epoch;
    }
    jobs_.signal(Open{epoch, server});
  }
  void unwant(bool orderly) {
    Epoch epoch = 0;
    {
      const std::lock_guard lock(mutex_);
      epoch = std::exchange(wanted_, 0);
      if (connection_) connection_->mute();
    }
    if (epoch != 0) jobs_.signal(Close{epoch, orderly});
  }
  std::shared_ptr<PahoConnection> connection(Epoch epoch) {
    const std::lock_guard lock(mutex_);
    return connection_ && connection_->epoch() == epoch && wanted_ == epoch ? connection_ : nullptr;
  }
  /// After this the sink is never called again.
  void end() {
    {
      const std::lock_guard lock(mutex_);
      wanted_ = 0;
      sink_ = nullptr;
    }
    jobs_.signal(End{});
  }

  /// The worker's loop.
  void run() {
    for (bool more = true; more;) {
      auto item = jobs_.take(Steady::max());
      if (!item) continue;
      if (auto* job = std::get_if<Job>(&*item)) {
        more = !std::holds_alternative<End>(*job);
        std::visit([this](auto& one) { work(one); }, *job);
      }
    }
  }

 private:
  void work(const Open& open) {
    close_connection(open.terms.has_value());
    if (!wanted(open.epoch)) return;
    if (open.terms) terms_[open.server] = *open.terms;
    const ServerUrl& server = broker_.servers[open.server];
    auto options = prepare(open, server);
    if (!options) return tell(LinkDown{open.epoch, options.error().what, std::nullopt, false, ""});
    if (!wanted(open.epoch)) return;
    auto connection = std::make_shared<PahoConnection>(
        std::move(*options),
        [self = weak_from_this(), server_index = open.server, terms = terms_[open.server]](LinkEvent event) {
          if (const auto link = self.lock()) link->happened(std::move(event), server_index, terms);
        });
    {
      const std::lock_guard lock(mutex_);
      connection_ = connection;
    }
    if (const auto opened = connection->open(); !opened) {
      tell(LinkDown{open.epoch, opened.error().what, std::nullopt, false, ""});
    }
  }

  void work(const Subscribe& subscribe) {
    if (connection_ && connection_->epoch() == subscribe.epoch) connection_->subscribe();
  }

  void work(const Close& close) {
    if (connection_ && connection_->epoch() == close.epoch) close_connection(close.orderly);
  }

  void work(Explain& explain) {
    if (!wanted(explain.down.epoch)) return;
    const ServerUrl& server = broker_.servers[explain.server];
    std::string why = diagnose_server(server, broker_, kDiagnosis);
    if (why.empty() && addresses_ > 1) {
      why = "no connection to " + address_ + ", one of " + std::to_string(addresses_) + " addresses of " + server.host;
    } else if (why.empty()) {
      why = "the connection was made, but there was no answer as from an MQTT broker: is this the broker's port";
      if (server.websocket()) why += " and path";
      why += "?";
      if (broker_.mqtt5) why += " If it speaks only MQTT 3.1.1, set protocol = \"3.1.1\"";
    }
    ++turns_[explain.server];
    explain.down.why = std::move(why);
    tell(std::move(explain.down));
  }

  void work(const End&) { close_connection(true); }

  /// Everything that may have changed since the last attempt is looked at anew.
  Result<PahoConnection::Options> prepare(const Open& open, const ServerUrl& server) {
    PahoConnection::Options options;
    options.epoch = open.epoch;
    options.broker = broker_;
    options.will_topic = state_topic_;
    options.will_payload = kOfflineState;
    options.subscription = subscription_;
    const Terms& terms = terms_.try_emplace(open.server, Terms{broker_.keep_alive}).first->second;
    options.keep_alive_s =
        static_cast<std::uint16_t>(std::chrono::ceil<std::chrono::seconds>(terms.keep_alive).count());
    options.retained_will = terms.retained_will;
    options.will_qos = terms.will_qos;
    if (!broker_.password_file.empty()) {
      auto password = read_password(broker_.password_file, !broker_.password_is_credential);
      if (!password) return password.error();
      options.password = std::move(*password);
      options.has_password = true;
    }
    if (server.tls()) {
      if (auto files = check_tls_files(broker_.ca_file, broker_.cert_file, broker_.key_file); !files)
        return files.error();
    }
    // So that the library, which holds its lock meanwhile, need not ask a name server that is silent.
    auto addresses = lookup_.find(server.host, std::min(kLongestLookup, broker_.connect_timeout));
    if (!addresses) return addresses.error();
    addresses_ = addresses->size();
    address_ = (*addresses)[turns_[open.server] % addresses_];
    // TLS and HTTP need the name: to check the certificate, to choose the virtual host.
    const bool by_name = server.tls() || server.websocket();
    options.uri = uri_of(server, by_name ? server.host : address_);
    return options;
  }

  /// On the library's threads: nothing here may block or call it.
  void happened(LinkEvent event, std::size_t server, const Terms& terms) {
    const Epoch epoch = epoch_of(event);
    if (const auto learned = learn(event, terms)) {
      jobs_.signal(Open{epoch, server, learned});  // once more, in the same epoch
      return;
    }
    if (auto* down = std::get_if<LinkDown>(&event)) {
      if (!down->was_up && !down->reason) {
        jobs_.signal(Explain{std::move(*down), server});
        return;
      }
      if (!down->was_up) down->why = refusal_of_connection(*down->reason);
    }
    if (std::holds_alternative<LinkUp>(event)) jobs_.signal(Subscribe{epoch});
    // After a LinkDown the handle stays until the uplink has seen it and wants something else: it may be publishing.
    tell(std::move(event));
  }

  /// What the broker insists on, if it is not what it was offered.
  static std::optional<Terms> learn(const LinkEvent& event, Terms terms) {
    if (const auto* up = std::get_if<LinkUp>(&event)) {
      // The library would go on with its own, and the broker would hang up on us (MQTT 5.0 section 3.2.2.3.14).
      const Duration wanted = up->server_keep_alive.value_or(Duration::zero());
      if (wanted == Duration::zero() || wanted >= terms.keep_alive) return std::nullopt;
      terms.keep_alive = wanted;
      return terms;
    }
    const auto* down = std::get_if<LinkDown>(&event);
    if (down == nullptr || down->was_up) return std::nullopt;
    if (down->reason == kRetainNotSupported && terms.retained_will) {
      terms.retained_will = false;
      return terms;
    }
    if (down->reason == kQosNotSupported && terms.will_qos > 0) {
      terms.will_qos = 0;
      return terms;
    }
    return std::nullopt;
  }

  void tell(LinkEvent event) {
    const std::lock_guard lock(mutex_);
    if (sink_ && epoch_of(event) == wanted_) sink_(std::move(event));
  }

  bool wanted(Epoch epoch) {
    const std::lock_guard lock(mutex_);
    return wanted_ == epoch;
  }

  void close_connection(bool orderly) {
    if (!connection_) return;
    connection_->close(orderly);
    const std::lock_guard lock(mutex_);
    connection_.reset();
  }

  const BrokerConfig broker_;
  const std::string state_topic_;
  const std::string subscription_;
  Mailbox<std::monostate, Job> jobs_{0};

  // The worker's own.
  NameLookup lookup_;
  std::map<std::size_t, Terms> terms_;        ///< by server
  std::map<std::size_t, std::size_t> turns_;  ///< by server: attempts that no broker answered
  std::string address_;
  std::size_t addresses_ = 1;

  std::mutex mutex_;  ///< guards what follows; held for a moment only
  std::function<void(LinkEvent)> sink_;
  Epoch wanted_ = 0;                            ///< the epoch whose events are wanted; 0: none
  std::shared_ptr<PahoConnection> connection_;  ///< set by the worker alone
};

class PahoTransport final : public Transport {
 public:
  explicit PahoTransport(std::shared_ptr<Link> link) : link_(std::move(link)) {
    std::packaged_task<void()> loop([link = link_] { link->run(); });
    ended_ = loop.get_future();
    worker_ = std::thread(std::move(loop));
    ::pthread_setname_np(worker_.native_handle(), "link");
  }
  ~PahoTransport() override {
    current_.reset();
    link_->end();
    if (ended_.wait_for(kFarewell) == std::future_status::ready) {
      worker_.join();
    } else {
      worker_.detach();  // the library sits on its lock; the process is about to end
    }
  }
  PahoTransport(const PahoTransport&) = delete;
  PahoTransport& operator=(const PahoTransport&) = delete;

  void connect(Epoch epoch, std::size_t server) override {
    current_.reset();
    link_->want(epoch, server);
  }
  Result<void> publish(Epoch epoch, Token token, const Message& message) override {
    if (!current_ || current_->epoch() != epoch) current_ = link_->connection(epoch);
    if (!current_) return Error{Fault::closed, "the connection was lost"};
    return current_->publish(token, message);
  }
  void disconnect(bool orderly) noexcept override {
    current_.reset();
    link_->unwant(orderly);
  }

 private:
  std::shared_ptr<Link> link_;
  std::shared_ptr<PahoConnection> current_;  ///< the one that publish() used last
  std::future<void> ended_;
  std::thread worker_;
};

}  // namespace

std::unique_ptr<Transport> paho_transport(const BrokerConfig& broker, const PublishConfig& publish,
                                          std::function<void(LinkEvent)> sink) {
  // The library would send everything, also what is meant for this machine, to the proxy named there.
  ::unsetenv("http_proxy");
  ::unsetenv("https_proxy");
  return std::make_unique<PahoTransport>(std::make_shared<Link>(broker, publish, std::move(sink)));
}

}  // namespace baudbridge
