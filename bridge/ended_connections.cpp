#include "bridge/ended_connections.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "core/poll_until.h"

namespace baudbridge {

EndedConnections::~EndedConnections() {
  const Steady deadline = std::chrono::steady_clock::now() + kLongestWait;
  while (!empty() && std::chrono::steady_clock::now() < deadline) {
    pollfd bell{inbox_->descriptor(), POLLIN, 0};
    poll_until({&bell, 1}, deadline);
    inbox_->take();
  }
  for (auto& release : releases_) release.thread.detach();
}

void EndedConnections::add(const std::shared_ptr<PahoConnection>& connection, bool with_will) {
  auto done = std::make_shared<std::atomic<bool>>(false);
  const auto free_handle = [connection, with_will, done, inbox = inbox_] {
    if (with_will) connection->end_with_will();
    connection->destroy();
    *done = true;
    inbox->ring();
  };
  try {
    releases_.push_back({done, std::thread(free_handle)});
  } catch (const std::system_error&) {
    free_handle();  // no thread is left: the caller waits
  }
}

bool EndedConnections::empty() {
  std::erase_if(releases_, [](Release& release) {
    if (!*release.done) return false;
    release.thread.join();
    return true;
  });
  return releases_.empty();
}

}  // namespace baudbridge
