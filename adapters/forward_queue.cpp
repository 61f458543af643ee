#include "adapters/forward_queue.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace baudbridge {
namespace {

void ring(const UniqueFd& bell, bool& rung) {
  if (!std::exchange(rung, true)) ::eventfd_write(bell.get(), 1);
}

void silence(const UniqueFd& bell, bool& rung) {
  eventfd_t ignored = 0;
  if (std::exchange(rung, false)) (void)::eventfd_read(bell.get(), &ignored);
}

}  // namespace

ForwardQueue::ForwardQueue()
    : requests_bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      responses_bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      closed_(Error{Fault::closed, "the bus has not been opened yet"}) {
  if (!requests_bell_ || !responses_bell_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

ForwardQueue::Ticket ForwardQueue::post(ForwardedRequest request, Steady now) {
  const std::lock_guard lock(mutex_);
  const Ticket ticket = ++last_ticket_;
  if (closed_) {
    respond(ticket, *closed_);
    return ticket;
  }
  waiting_.push_back({ticket, std::move(request), now});
  ring(requests_bell_, requests_rung_);
  return ticket;
}

void ForwardQueue::cancel(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  std::erase_if(waiting_, [&](const Waiting& each) { return each.ticket == ticket; });
}

std::vector<ForwardQueue::Response> ForwardQueue::take_responses() {
  const std::lock_guard lock(mutex_);
  silence(responses_bell_, responses_rung_);
  return std::exchange(responses_, {});
}

std::optional<ForwardQueue::Waiting> ForwardQueue::take(const std::function<bool(const ForwardedRequest&)>& ready) {
  const std::lock_guard lock(mutex_);
  silence(requests_bell_, requests_rung_);
  const auto found =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& each) { return ready(each.request); });
  if (found == waiting_.end()) return std::nullopt;
  Waiting taken = std::move(*found);
  waiting_.erase(found);
  return taken;
}

void ForwardQueue::expire(Steady before, const Error& why) {
  const std::lock_guard lock(mutex_);
  for (; !waiting_.empty() && waiting_.front().arrived < before; waiting_.pop_front()) {
    respond(waiting_.front().ticket, why);
  }
}

void ForwardQueue::answer(Ticket ticket, ForwardedResponse response) {
  const std::lock_guard lock(mutex_);
  respond(ticket, std::move(response));
}

void ForwardQueue::bus_opened() {
  const std::lock_guard lock(mutex_);
  closed_.reset();
}

void ForwardQueue::bus_closed(const Error& why) {
  const std::lock_guard lock(mutex_);
  closed_ = why;
  for (const Waiting& each : waiting_) respond(each.ticket, why);
  waiting_.clear();
}

/// With the lock held.
void ForwardQueue::respond(Ticket ticket, ForwardedResponse response) {
  responses_.push_back({ticket, std::move(response)});
  ring(responses_bell_, responses_rung_);
}

}  // namespace baudbridge
