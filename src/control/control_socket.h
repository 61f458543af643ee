#pragma once
// The local socket through which `status`, `watch` and `queue` ask the running service.
// Protocol: a request is one line of JSON, the answer is one line of JSON; docs/operation.md lists them.
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/result.h"
#include "core/time.h"
#include "core/unique_fd.h"

namespace baudbridge {

/// The file name of the socket, in [queue] runtime_dir.
inline constexpr const char* kControlSocket = "control.sock";

/// The answer to one request: to be called once, from any thread, also when the client has left.
class ControlReply {
 public:
  struct Slot;
  explicit ControlReply(std::shared_ptr<Slot> slot) : slot_(std::move(slot)) {}
  /// line: JSON without its line end.
  void operator()(std::string line) const;

 private:
  std::shared_ptr<Slot> slot_;
};

/// A Unix stream socket that only the service's owner and group may connect to. It passes each line to
/// its handler and sends back what the handler replies. Everything is bounded: clients, request, answer, time.
/// Threads: one owner, who waits for fd() and then calls serve(); nothing in here blocks.
/// Errors:  the connection of a client that misbehaves is closed.
class ControlSocket {
 public:
  using Handler = std::function<void(const std::string& request, ControlReply reply)>;

  /// Binds the socket, in place of that of an ended process. The caller makes sure that there is no other
  /// service (it holds the queue). Errors (Fault::io) name the file.
  static Result<std::unique_ptr<ControlSocket>> listen(const std::string& path, Handler handler);
  ~ControlSocket();  ///< removes the file
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  /// Readable when serve() has something to do.
  [[nodiscard]] int fd() const { return epoll_.get(); }
  void serve(Steady now);
  /// When serve() is to be called even if nothing happens.
  [[nodiscard]] Steady wake_at() const;

  static constexpr std::size_t kMostClients = 16;
  static constexpr std::size_t kLargestRequest_bytes = 1U << 20;
  static constexpr Duration kAnswerWithin = std::chrono::seconds(10);  ///< then the client gets an error
  static constexpr Duration kReadWithin = std::chrono::seconds(10);    ///< for the client to take its answer
  static constexpr Duration kIdle = std::chrono::minutes(5);           ///< for its next request

 private:
  struct Client {
    UniqueFd fd;
    std::string input;
    std::string output;
    std::size_t sent = 0;
    std::shared_ptr<ControlReply::Slot> pending;
    Steady deadline{};
  };
  ControlSocket(std::string path, Handler handler);

  void accept_clients(Steady now);
  /// Each returns false when the connection is to be closed.
  bool read_from(Client& client, Steady now);
  bool ask_next(Client& client, Steady now);
  bool answer(Client& client, Steady now);
  bool write_to(Client& client, Steady now);
  bool expire(Client& client, Steady now);
  void watch(int fd, unsigned events) const;

  std::string path_;
  bool bound_ = false;  ///< the file is ours
  Handler handler_;
  UniqueFd listener_;
  UniqueFd epoll_;
  std::shared_ptr<UniqueFd> wake_;  ///< an eventfd: an answer is there
  std::map<int, Client> clients_;
  Steady listen_again_ = Steady::max();  ///< after descriptors had run out
};

/// Connects to the socket; works with paths longer than a socket's address can be. Errors: unplugged if no service
/// listens there, refused if we may not; the text names the file and what to do.
Result<UniqueFd> connect_control(const std::string& path);

/// The client's end: one request, one answer.
/// Threads: one caller, which it blocks.
class ControlClient {
 public:
  static Result<ControlClient> connect(const std::string& path);
  /// Sends a line and waits for the line that answers it. Errors: timeout, closed.
  Result<std::string> ask(const std::string& request, Duration timeout = std::chrono::seconds(15));

 private:
  explicit ControlClient(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  std::string input_;
};

}  // namespace baudbridge
