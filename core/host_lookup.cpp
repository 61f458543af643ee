#include "core/host_lookup.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "core/poll_until.h"
#include "core/unique_fd.h"

namespace baudbridge {
namespace {

addrinfo hints_for(int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  return hints;
}

}  // namespace

std::string address_text(const addrinfo& address) {
  std::array<char, NI_MAXHOST> text{};
  ::getnameinfo(address.ai_addr, address.ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return text.data();
}

struct HostLookup::Question {
  std::string host;
  std::string service;
  Resolve resolve;
  UniqueFd done{::eventfd(0, EFD_CLOEXEC)};  ///< readable: answered
  std::mutex mutex;                          ///< guards the rest
  bool answered = false;
  Steady answered_at{};
  int failure = 0;
  Addresses found;

  bool is_old(const Freshness& freshness) {
    const std::lock_guard lock(mutex);
    const Duration limit = failure == 0 && found != nullptr ? freshness.address : freshness.failure;
    return answered && std::chrono::steady_clock::now() - answered_at > limit;
  }

  void ask() {
    const addrinfo hints = hints_for(AI_ADDRCONFIG);
    addrinfo* list = nullptr;
    const int failed = resolve(host.c_str(), service.c_str(), &hints, &list);
    const std::lock_guard lock(mutex);
    answered = true;
    answered_at = std::chrono::steady_clock::now();
    failure = failed;
    if (failed == 0) found.reset(list);
    ::eventfd_write(done.get(), 1);
  }
};

Result<Addresses> HostLookup::find(const std::string& host, int tcp_port, Steady deadline, int stop_fd) {
  const std::string service = std::to_string(tcp_port);
  const addrinfo numeric = hints_for(AI_NUMERICHOST);
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), service.c_str(), &numeric, &list) == 0) return Addresses(list);
  const auto key = std::pair(host, tcp_port);
  auto& asked = asked_[key];
  if (asked == nullptr || asked->is_old(freshness_)) {
    asked = std::make_shared<Question>();
    asked->host = host;
    asked->service = service;
    asked->resolve = resolve_;
    try {
      // Detached: a request to a silent name server cannot be cancelled, and no thread may have to wait for it.
      std::thread([question = asked] { question->ask(); }).detach();
    } catch (const std::system_error& error) {
      asked_.erase(key);
      return Error{Fault::io, "the host name \"" + host + "\" cannot be looked up: " + error.what()};
    }
  }
  const auto question = asked;
  std::array<pollfd, 2> ready{{{question->done.get(), POLLIN, 0}, {stop_fd, POLLIN, 0}}};
  if (poll_until(ready, deadline) > 0 && ready[0].revents == 0) return Error{Fault::closed, "stopped"};
  const std::lock_guard lock(question->mutex);
  if (!question->answered) {
    return Error{Fault::timeout, "the name server does not respond (lookup of \"" + host +
                                     "\"): check this machine's network and /etc/resolv.conf, or use an address"};
  }
  asked_.erase(key);
  if (question->failure != 0 || question->found == nullptr) {
    return Error{Fault::io, "the host name \"" + host + "\" cannot be resolved (" + ::gai_strerror(question->failure) +
                                "): check it and this machine's name server"};
  }
  return std::move(question->found);
}

int HostLookup::answered_fd(const std::string& host, int tcp_port) const {
  const auto asked = asked_.find(std::pair(host, tcp_port));
  return asked == asked_.end() ? -1 : asked->second->done.get();
}

}  // namespace baudbridge
