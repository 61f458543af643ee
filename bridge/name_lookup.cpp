#include "bridge/name_lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <chrono>

namespace baudbridge {

Result<std::vector<std::string>> NameLookup::find(const std::string& host, Duration patience) {
  constexpr int kAnyPort = 0;
  const auto found = lookup_.find(host, kAnyPort, std::chrono::steady_clock::now() + patience);
  if (!found) {
    Error error = found.error();
    if (error.kind == Fault::timeout) error.what += " in urls";
    return error;
  }
  std::vector<std::string> texts;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* address = found->get(); address != nullptr; address = address->ai_next) {
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

}  // namespace baudbridge
