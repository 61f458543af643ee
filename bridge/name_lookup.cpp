#include "bridge/name_lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <thread>
#include <utility>

namespace baudbridge {
namespace {

using Answer = Result<std::vector<std::string>>;
using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Answer ask(const std::string& host, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const Addresses addresses(found, &::freeaddrinfo);
  if (failure != 0) {
    return Error{Fault::io, "the name " + host + " was not found (" + ::gai_strerror(failure) +
                                "): check the name and this machine's name server"};
  }
  std::vector<std::string> texts;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
      std::array<char, NI_MAXHOST> text{};
      if (address->ai_family != family) continue;
      if (::getnameinfo(address->ai_addr, address->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) ==
          0) {
        texts.emplace_back(text.data());
      }
    }
  }
  if (texts.empty()) return Error{Fault::io, "the name " + host + " has no address"};
  return texts;
}

}  // namespace

Result<std::vector<std::string>> NameLookup::find(const std::string& host, Duration patience) {
  if (auto numeric = ask(host, AI_NUMERICHOST)) return numeric;
  auto& asked = asked_[host];
  if (!asked.valid()) {
    std::packaged_task<Answer()> task([host] { return ask(host, 0); });
    asked = task.get_future().share();
    // Detached: nothing can end a question to a silent name server, and nobody may have to wait for it.
    std::thread(std::move(task)).detach();
  }
  if (asked.wait_for(patience) != std::future_status::ready) {
    return Error{Fault::timeout, "the name server does not answer (asked for " + host +
                                     "): check this machine's network and /etc/resolv.conf, or use an address in urls"};
  }
  Answer answer = asked.get();
  asked_.erase(host);
  return answer;
}

}  // namespace baudbridge
