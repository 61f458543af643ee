#include "adapters/modbus/server/modbus_server.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/modbus/server/request.h"
#include "adapters/modbus/server/served_client.h"
#include "adapters/modbus/server/server_context.h"
#include "adapters/modbus/server/server_socket.h"
#include "core/log.h"
#include "core/poll_until.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLongestWait = 1s;
/// A client without a request for so long makes room for another when there is none left (Source: MODBUS Messaging on
/// TCP/IP Implementation Guide 1.0b, section 4.2.2: the oldest unused connection is closed).
constexpr Duration kUnused = 30s;
constexpr Duration kReminder = 1h;
constexpr std::size_t kThreadName = 15;

Steady steady_now() {
  return std::chrono::steady_clock::now();
}

/// Something that is logged when it happens, and then at most once an hour.
class Remark {
 public:
  bool due(Steady now) {
    if (logged_at_ && now - *logged_at_ < kReminder) return false;
    logged_at_ = now;
    return true;
  }

 private:
  std::optional<Steady> logged_at_;
};

/// What the other master gets for a request that has no response.
int exception_for(const Error& error) {
  switch (error.kind) {
    case Fault::exception:
      return error.code;
    case Fault::unplugged:
    case Fault::protocol:
    case Fault::io:
    case Fault::in_use:
    case Fault::closed:
      return kNoPath;
    case Fault::full:
      return kServerBusy;
    default:
      return kNoResponse;
  }
}

/// One thread that owns the listening socket and all clients. It waits for all of them at once and for nothing else; a
/// request goes to the bus's thread through the queue, and the response comes back the same way.
/// Threads: its own; see BusServer.
class ModbusServer : public BusServer {
 public:
  ModbusServer(const ServeConfig& config, std::string bus, std::shared_ptr<ForwardQueue> queue)
      : config_(config),
        bus_(std::move(bus)),
        queue_(std::move(queue)),
        socket_(config_, std::hash<std::string>{}(bus_)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
    report_.address = config_.address;
    beat(steady_now());
  }
  ~ModbusServer() override {
    request_stop();
    join();
  }
  ModbusServer(const ModbusServer&) = delete;
  ModbusServer& operator=(const ModbusServer&) = delete;

  void start() override {
    beat(steady_now());
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), ("serve-" + bus_).substr(0, kThreadName).c_str());
  }
  void request_stop() override {
    stop_ = true;
    ::eventfd_write(wake_.get(), 1);
  }
  void join() override {
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] Steady heartbeat() const override {
    return Steady{Duration{heartbeat_.load(std::memory_order_relaxed)}};
  }
  [[nodiscard]] ServeReport report() const override {
    const std::lock_guard lock(report_mutex_);
    return report_;
  }

 private:
  void run() {
    while (!stop_) turn();
    for (const ServedClient& client : clients_) forget_request(client);
    clients_.clear();
  }

  void turn() {
    Steady now = steady_now();
    beat(now);
    listen(now);
    std::vector<pollfd> waited{
        {wake_.get(), POLLIN, 0}, {queue_->responses_fd(), POLLIN, 0}, {socket_.fd(), POLLIN, 0}};
    Steady until = std::min(now + kLongestWait, socket_.look_at());
    for (const ServedClient& client : clients_) {
      waited.push_back({client.fd(), client.events(), 0});
      until = std::min(until, client.look_at());
    }
    (void)poll_until(waited, until);
    now = steady_now();
    auto found = std::span(waited).subspan(3).begin();
    for (auto client = clients_.begin(); client != clients_.end(); ++found) {
      client = serve(*client, found->revents, now) ? std::next(client) : clients_.erase(client);
    }
    respond(now);
    if ((waited[2].revents & POLLIN) != 0) let_in(now);
    count([&](ServeReport& report) { report.clients = clients_.size(); });
  }

  void listen(Steady now) {
    switch (socket_.try_open(now)) {
      case ServerSocket::Change::none:
        return;
      case ServerSocket::Change::listens:
        log::info(bus_ + ": other masters reach its units at " + config_.address);
        break;
      case ServerSocket::Change::failed:
        log::warn(bus_ + ": cannot listen on " + config_.address + ": " + socket_.why() + "; retrying");
        break;
    }
    count([&](ServeReport& report) {
      report.listening = socket_.listening();
      report.why = socket_.why();
    });
  }

  /// False: the client is gone, or is to go.
  bool serve(ServedClient& client, short events, Steady now) {
    ServedClient::Taken taken = client.look(events, context_, now);
    if (taken.state != ServedClient::State::open) {
      if (taken.state == ServedClient::State::malformed) note_malformed(client, now);
      forget_request(client);
      return false;
    }
    if (taken.request.empty()) return true;
    const std::span<const std::uint8_t> pdu = std::span(taken.request).subspan(kMbapBytes);
    if (const auto code = refusal_of(pdu, config_.writes)) {
      count([](ServeReport& report) { ++report.refused; });
      const bool sent = context_.reply_exception(client.fd(), taken.request, *code);
      client.answered(now);
      return sent;
    }
    ForwardedRequest request{taken.request[kMbapBytes - 1], {pdu.begin(), pdu.end()}};
    client.forwarded(std::move(taken.request), queue_->post(std::move(request), now));
    count([](ServeReport& report) { ++report.requests; });
    return true;
  }

  void respond(Steady now) {
    for (const ForwardQueue::Response& each : queue_->take_responses()) {
      const auto client = std::find_if(clients_.begin(), clients_.end(),
                                       [&](const ServedClient& known) { return known.ticket() == each.ticket; });
      if (client == clients_.end()) continue;
      if (!each.response && each.response.error().kind != Fault::exception) {
        count([](ServeReport& report) { ++report.failed; });
      }
      const bool sent = each.response ? context_.reply(client->fd(), client->request(), *each.response)
                                      : context_.reply_exception(client->fd(), client->request(),
                                                                 exception_for(each.response.error()));
      client->answered(now);
      if (!sent) clients_.erase(client);
    }
  }

  void let_in(Steady now) {
    while (auto accepted = socket_.accept(now)) {
      if (const std::string why = objection_to(*accepted, now); !why.empty()) {
        count([](ServeReport& report) { ++report.rejected; });
        if (rejected_.due(now)) log::warn(bus_ + ": does not let " + accepted->name + " in: " + why);
        continue;
      }
      clients_.emplace_back(std::move(accepted->socket), std::move(accepted->name), now);
    }
  }

  /// Why this client is not let in; empty: it is.
  std::string objection_to(const ServerSocket::Accepted& accepted, Steady now) {
    const auto allows = [&](const AddressRange& range) { return range.contains(accepted.peer); };
    if (!config_.allow.empty() && std::none_of(config_.allow.begin(), config_.allow.end(), allows)) {
      return "its address is not in serve_allow";
    }
    if (!ServerContext::usable(accepted.socket.get())) return "the process has too many open files for libmodbus";
    if (clients_.size() < config_.clients) return {};
    const auto unused =
        std::min_element(clients_.begin(), clients_.end(), [](const ServedClient& one, const ServedClient& other) {
          if (one.ticket().has_value() != other.ticket().has_value()) return !one.ticket().has_value();
          return one.active_at() < other.active_at();
        });
    if (unused->ticket() || now - unused->active_at() < kUnused) {
      return "there are " + std::to_string(clients_.size()) + " clients already (serve_clients)";
    }
    clients_.erase(unused);
    return {};
  }

  void note_malformed(const ServedClient& client, Steady now) {
    count([](ServeReport& report) { ++report.malformed; });
    if (!malformed_.due(now)) return;
    log::warn(bus_ + ": closes the connection of " + client.name() +
              ": what it sends is no complete Modbus TCP request");
  }

  void forget_request(const ServedClient& client) {
    if (client.ticket()) queue_->cancel(*client.ticket());
  }
  void beat(Steady now) { heartbeat_.store(now.time_since_epoch().count(), std::memory_order_relaxed); }
  template <class Change>
  void count(const Change& change) {
    const std::lock_guard lock(report_mutex_);
    change(report_);
  }

  const ServeConfig config_;
  const std::string bus_;
  const std::shared_ptr<ForwardQueue> queue_;
  ServerContext context_;
  ServerSocket socket_;
  std::list<ServedClient> clients_;
  Remark rejected_;
  Remark malformed_;
  mutable std::mutex report_mutex_;
  ServeReport report_;
  UniqueFd wake_;  ///< eventfd: readable when the thread is to stop
  std::atomic<bool> stop_{false};
  std::atomic<Duration::rep> heartbeat_{0};
  std::thread thread_;
};

}  // namespace

std::shared_ptr<BusServer> modbus_server(const ServeConfig& config, const std::string& bus,
                                         std::shared_ptr<ForwardQueue> queue) {
  return std::make_shared<ModbusServer>(config, bus, std::move(queue));
}

}  // namespace baudbridge
