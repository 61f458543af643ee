#include "src/control/control_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <utility>

namespace baudbridge {

/// Where an answer is put by whichever thread has it.
struct ControlReply::Slot {
  explicit Slot(std::shared_ptr<UniqueFd> wake_fd) : wake(std::move(wake_fd)) {}
  std::string line;
  std::atomic<bool> ready{false};
  std::shared_ptr<UniqueFd> wake;
};

void ControlReply::operator()(std::string line) const {
  slot_->line = std::move(line);
  slot_->ready.store(true, std::memory_order_release);
  (void)::eventfd_write(slot_->wake->get(), 1);
}

namespace {

constexpr const char* kNoAnswer =
    R"({"ok":false,"error":"the gateway does not answer: its disk may be stuck; see its log"})";
constexpr const char* kTooLong = R"({"ok":false,"error":"a request has at most 1 MiB"})";

Error failed(const std::string& path, const char* what) {
  return Error{Fault::io, path + ": " + what + ": " + std::strerror(errno)};
}

/// Calls bind() or connect() with the address of a socket file. Paths may be longer than an address: the folder is
/// opened, and the file is reached through it.
template <class Call>
int with_address(const std::string& path, Call call) {
  const std::filesystem::path file(path);
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const UniqueFd directory(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return -1;
  const std::string name = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + file.filename().string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& shown = path.size() < sizeof address.sun_path ? path : name;
  if (shown.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, shown.c_str(), shown.size() + 1);
  return call(reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(sizeof address));
}

}  // namespace

// The service's end.

ControlSocket::ControlSocket(std::string path, Handler handler)
    : path_(std::move(path)),
      handler_(std::move(handler)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(std::make_shared<UniqueFd>(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))) {}

Result<std::unique_ptr<ControlSocket>> ControlSocket::listen(const std::string& path, Handler handler) {
  std::unique_ptr<ControlSocket> control(new ControlSocket(path, std::move(handler)));
  control->listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int listener = control->listener_.get();
  if (listener < 0 || !control->epoll_ || !*control->wake_) return failed(path, "no socket to be had");
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
    return Error{Fault::io, path + ": is in the way and no socket: remove it"};
  }
  ::unlink(path.c_str());
  const auto bind_to = [&](const sockaddr* address, socklen_t size) { return ::bind(listener, address, size); };
  if (with_address(path, bind_to) != 0) return failed(path, "cannot make the socket");
  control->bound_ = true;
  // No other user can connect in between: connecting needs write permission, which no umask gives to others.
  constexpr mode_t kOwnerAndGroup = 0660;
  if (::chmod(path.c_str(), kOwnerAndGroup) != 0) return failed(path, "cannot set the mode");
  if (::listen(listener, static_cast<int>(kMostClients)) != 0) return failed(path, "cannot listen");
  for (const int fd : {listener, control->wake_->get()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(control->epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return failed(path, "cannot wait for it");
  }
  return control;
}

ControlSocket::~ControlSocket() {
  if (bound_) ::unlink(path_.c_str());
}

void ControlSocket::serve(Steady now) {
  std::array<epoll_event, kMostClients + 2> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    const int fd = event.data.fd;
    if (fd == listener_.get()) {
      accept_clients(now);
    } else if (fd == wake_->get()) {
      eventfd_t ignored = 0;
      (void)::eventfd_read(fd, &ignored);
    } else if (const auto found = clients_.find(fd); found != clients_.end()) {
      Client& client = found->second;
      bool keep = (event.events & (EPOLLERR | EPOLLHUP)) == 0;
      if (keep && (event.events & EPOLLIN) != 0) keep = read_from(client, now);
      if (keep && (event.events & EPOLLOUT) != 0) keep = write_to(client, now);
      if (!keep) clients_.erase(found);
    }
  }
  for (auto client = clients_.begin(); client != clients_.end();) {
    const bool keep = answer(client->second, now) && expire(client->second, now);
    client = keep ? std::next(client) : clients_.erase(client);
  }
  if (now >= listen_again_) {
    listen_again_ = Steady::max();
    watch(listener_.get(), EPOLLIN);
  }
}

Steady ControlSocket::wake_at() const {
  Steady earliest = listen_again_;
  for (const auto& [fd, client] : clients_) earliest = std::min(earliest, client.deadline);
  return earliest;
}

void ControlSocket::accept_clients(Steady now) {
  for (;;) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
      // No descriptor is left, and the one who knocks stays at the door: looked after again when some may be free.
      watch(listener_.get(), 0);
      listen_again_ = now + std::chrono::seconds(1);
      return;
    }
    if (clients_.size() >= kMostClients) continue;  // closed at once
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) continue;
    const int number = fd.get();
    Client& client = clients_[number];
    client.fd = std::move(fd);
    client.deadline = now + kIdle;
  }
}

void ControlSocket::watch(int fd, unsigned events) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

bool ControlSocket::read_from(Client& client, Steady now) {
  std::array<char, 16384> buffer;
  const ssize_t got = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
  if (got == 0) return false;
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  client.input.append(buffer.data(), static_cast<std::size_t>(got));
  return ask_next(client, now);
}

/// Hands on the next whole line, if there is one. While it is being answered nothing more is read.
bool ControlSocket::ask_next(Client& client, Steady now) {
  const std::size_t end = client.input.find('\n');
  if (end == std::string::npos) {
    if (client.input.size() <= kLargestRequest_bytes) return true;
    client.input.clear();
    client.output = std::string(kTooLong) + "\n";
    write_to(client, now);
    return false;
  }
  const std::string line = client.input.substr(0, end);
  client.input.erase(0, end + 1);
  client.pending = std::make_shared<ControlReply::Slot>(wake_);
  client.deadline = now + kAnswerWithin;
  watch(client.fd.get(), 0);
  handler_(line, ControlReply(client.pending));
  return true;
}

bool ControlSocket::answer(Client& client, Steady now) {
  if (!client.pending || !client.pending->ready.load(std::memory_order_acquire)) return true;
  client.output = std::move(client.pending->line);
  client.output += '\n';
  client.sent = 0;
  client.pending.reset();
  client.deadline = now + kReadWithin;
  return write_to(client, now);
}

bool ControlSocket::write_to(Client& client, Steady now) {
  while (client.sent < client.output.size()) {
    const ssize_t put =
        ::send(client.fd.get(), client.output.data() + client.sent, client.output.size() - client.sent, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno != EAGAIN) return false;
    if (put < 0) {
      watch(client.fd.get(), EPOLLOUT);
      return true;
    }
    client.sent += static_cast<std::size_t>(put);
    client.deadline = now + kReadWithin;
  }
  client.output = std::string();  // gives its memory back
  client.sent = 0;
  client.deadline = now + kIdle;
  watch(client.fd.get(), EPOLLIN);
  return ask_next(client, now);
}

bool ControlSocket::expire(Client& client, Steady now) {
  if (now < client.deadline) return true;
  if (!client.pending) return false;
  client.pending.reset();  // its answer, should it ever come, goes nowhere
  client.output = std::string(kNoAnswer) + "\n";
  client.deadline = now + kReadWithin;
  return write_to(client, now);
}

// The client's end.

Result<UniqueFd> connect_control(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return failed(path, "no socket to be had");
  const auto connect_to = [&](const sockaddr* address, socklen_t size) { return ::connect(fd.get(), address, size); };
  if (with_address(path, connect_to) == 0) return fd;
  const int why = errno;
  if (why == ENOENT || why == ECONNREFUSED || why == ENOTDIR) {
    return Error{Fault::unplugged, "no service answers at " + path +
                                       (why == ECONNREFUSED ? " (the socket of a service that has ended)" : "") +
                                       ": start it (systemctl start baudbridge), or name its configuration with -c"};
  }
  if (why == EACCES || why == EPERM) {
    return Error{Fault::refused, path +
                                     ": only the service's own user and group may ask it: run this as root, or "
                                     "become a member of its group (usermod -aG baudbridge YOU)"};
  }
  errno = why;
  return failed(path, "cannot connect");
}

Result<ControlClient> ControlClient::connect(const std::string& path) {
  auto fd = connect_control(path);
  if (!fd) return fd.error();
  return ControlClient(std::move(*fd));
}

Result<std::string> ControlClient::ask(const std::string& request, Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const std::string line = request + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t put = ::send(fd_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Error{Fault::closed, std::string("the service closed the connection: ") + std::strerror(errno)};
    sent += static_cast<std::size_t>(put);
  }
  for (;;) {
    if (const std::size_t end = input_.find('\n'); end != std::string::npos) {
      std::string answer = input_.substr(0, end);
      input_.erase(0, end + 1);
      return answer;
    }
    const auto left = std::chrono::ceil<Milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd ready{fd_.get(), POLLIN, 0};
    const int polled = left.count() <= 0 ? 0 : ::poll(&ready, 1, static_cast<int>(left.count()));
    if (polled < 0 && errno == EINTR) continue;
    if (polled == 0) return Error{Fault::timeout, "the service does not answer"};
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Error{Fault::closed, "the service closed the connection"};
    input_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace baudbridge
