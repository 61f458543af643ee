#include "src/control/control_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include "support/catch.h"
#include "support/process.h"
#include "support/temp_dir.h"

using namespace baudbridge;
using baudbridge::testing::eventually;
using baudbridge::testing::TempDir;
using namespace std::chrono_literals;

namespace {

/// A control socket with the thread that serves it, as main does.
class Served {
 public:
  Served(const std::string& path, ControlSocket::Handler handler) {
    auto listening = ControlSocket::listen(path, std::move(handler));
    REQUIRE(listening);
    socket_ = std::move(*listening);
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        pollfd ready{socket_->fd(), POLLIN, 0};
        ::poll(&ready, 1, 20);
        // The clock that the socket sees can be moved on, so that no test waits for its deadlines.
        socket_->serve(std::chrono::steady_clock::now() + Duration(moved_on_));
        ++turns_;
      }
    });
  }
  void move_on(Duration by) { moved_on_ += by.count(); }
  [[nodiscard]] unsigned turns() const { return turns_; }

 private:
  std::unique_ptr<ControlSocket> socket_;
  std::atomic<Duration::rep> moved_on_{0};
  std::atomic<unsigned> turns_{0};
  std::jthread thread_;
};

ControlSocket::Handler echo() {
  return [](const std::string& request, const ControlReply& reply) { reply("<" + request + ">"); };
}

void send_all(int fd, const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t n = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

std::string read_to_end(int fd) {
  std::string all;
  std::array<char, 65536> buffer{};
  for (ssize_t n = 0; (n = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0;)
    all.append(buffer.data(), static_cast<std::size_t>(n));
  return all;
}

}  // namespace

TEST_CASE("each request over the control socket is answered") {
  const TempDir dir;
  const Served served(dir.file("control.sock"), echo());
  auto client = ControlClient::connect(dir.file("control.sock"));
  REQUIRE(client);
  for (int i = 0; i < 100; ++i) {
    const auto answer = client->ask("question " + std::to_string(i));
    REQUIRE(answer);
    CHECK(*answer == "<question " + std::to_string(i) + ">");
  }
}

TEST_CASE("only owner and group may connect to the control socket") {
  const TempDir dir;
  const auto socket = ControlSocket::listen(dir.file("control.sock"), echo());
  REQUIRE(socket);
  struct stat info {};
  REQUIRE(::stat(dir.file("control.sock").c_str(), &info) == 0);
  CHECK(S_ISSOCK(info.st_mode));
  CHECK((info.st_mode & 07777U) == 0660U);
}

TEST_CASE("the control socket of a killed service is replaced, and that of a service that ends is removed") {
  const TempDir dir;
  const std::string path = dir.file("control.sock");
  {
    UniqueFd left(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(left.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  const auto absent = ControlClient::connect(path);
  REQUIRE_FALSE(absent);
  CHECK_THAT(absent.error().what, ContainsSubstring("of a service that has ended"));
  {
    const Served served(path, echo());
    CHECK(ControlClient::connect(path));
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("a file that is no socket is not removed to make place for the control socket") {
  const TempDir dir;
  std::ofstream(dir.file("control.sock")) << "mine";
  const auto socket = ControlSocket::listen(dir.file("control.sock"), echo());
  REQUIRE_FALSE(socket);
  CHECK_THAT(socket.error().what, ContainsSubstring("no socket: remove it"));
  std::string content;
  std::ifstream(dir.file("control.sock")) >> content;
  CHECK(content == "mine");
}

TEST_CASE("a control socket's path may be longer than a socket address") {
  const TempDir dir;
  const std::string deep = dir.file(std::string(100, 'a')) + "/" + std::string(100, 'b');
  std::filesystem::create_directories(deep);
  const Served served(deep + "/control.sock", echo());
  auto client = ControlClient::connect(deep + "/control.sock");
  REQUIRE(client);
  CHECK(*client->ask("here?") == "<here?>");
}

TEST_CASE("where no service runs the message names the socket and the remedy") {
  const TempDir dir;
  const auto absent = ControlClient::connect(dir.file("nowhere/control.sock"));
  REQUIRE_FALSE(absent);
  CHECK(absent.error().kind == Fault::unplugged);
  CHECK_THAT(absent.error().what, ContainsSubstring(dir.file("nowhere/control.sock")));
  CHECK_THAT(absent.error().what, ContainsSubstring("systemctl start baudbridge"));
}

TEST_CASE("answers may come later and from another thread, while other clients are served") {
  const TempDir dir;
  std::mutex mutex;
  std::vector<ControlReply> waiting;
  const Served served(dir.file("control.sock"), [&](const std::string& request, const ControlReply& reply) {
    if (request != "slow") return reply("quick");
    const std::lock_guard lock(mutex);
    waiting.push_back(reply);
  });
  auto slow = ControlClient::connect(dir.file("control.sock"));
  auto quick = ControlClient::connect(dir.file("control.sock"));
  REQUIRE(slow);
  REQUIRE(quick);
  std::jthread answering([&] {
    for (bool done = false; !done;) {
      const std::lock_guard lock(mutex);
      if (waiting.empty()) continue;
      // The other client got its answer first, or the one below would never come.
      done = true;
    }
    CHECK(*quick->ask("quick") == "quick");
    waiting.front()("late");
  });
  CHECK(*slow->ask("slow") == "late");
}

TEST_CASE("a client whose request is not answered in time gets an error, and the late answer is discarded") {
  const TempDir dir;
  std::mutex mutex;
  std::vector<ControlReply> waiting;
  Served served(dir.file("control.sock"), [&](const std::string& request, const ControlReply& reply) {
    if (request == "next") return reply("fine");
    const std::lock_guard lock(mutex);
    waiting.push_back(reply);
  });
  auto client = ControlClient::connect(dir.file("control.sock"));
  REQUIRE(client);
  std::jthread impatient([&] {
    for (bool asked = false; !asked; std::this_thread::yield()) {
      const std::lock_guard lock(mutex);
      asked = !waiting.empty();
    }
    served.move_on(ControlSocket::kAnswerWithin);
  });
  const auto answer = client->ask("never");
  impatient.join();
  REQUIRE(answer);
  CHECK_THAT(*answer, ContainsSubstring(R"("ok":false)"));
  {
    const std::lock_guard lock(mutex);
    waiting.front()("too late");
  }
  CHECK(*client->ask("next") == "fine");
}

TEST_CASE("several requests in one packet, and one in several, are answered in order") {
  const TempDir dir;
  const Served served(dir.file("control.sock"), echo());
  auto fd = connect_control(dir.file("control.sock"));
  REQUIRE(fd);
  for (const char c : std::string("one\ntwo\nthr")) send_all(fd->get(), std::string(1, c));
  send_all(fd->get(), "ee\nfour\nnot finished");
  ::shutdown(fd->get(), SHUT_WR);
  CHECK(read_to_end(fd->get()) == "<one>\n<two>\n<three>\n<four>\n");
}

TEST_CASE("a request without end is cut off, and a client that reads nothing does not delay the others") {
  const TempDir dir;
  const std::string large(ControlSocket::kLargestRequest_bytes, 'x');
  const Served served(dir.file("control.sock"), [&](const std::string& request, const ControlReply& reply) {
    reply(request == "large" ? large : "ok");
  });
  auto endless = connect_control(dir.file("control.sock"));
  REQUIRE(endless);
  send_all(endless->get(), large + large);
  CHECK_THAT(read_to_end(endless->get()), ContainsSubstring("at most 1 MiB"));

  auto deaf = connect_control(dir.file("control.sock"));
  REQUIRE(deaf);
  send_all(deaf->get(), "large\n");
  auto other = ControlClient::connect(dir.file("control.sock"));
  REQUIRE(other);
  for (int i = 0; i < 10; ++i) CHECK(*other->ask("hello") == "ok");
  // Once it reads, it gets all of it.
  std::string got;
  std::array<char, 65536> buffer{};
  while (got.size() < large.size() + 1) {
    const ssize_t n = ::recv(deaf->get(), buffer.data(), buffer.size(), 0);
    REQUIRE(n > 0);
    got.append(buffer.data(), static_cast<std::size_t>(n));
  }
  CHECK(got == large + "\n");
}

TEST_CASE("the connection of a client that reads its answer too slowly is closed") {
  const TempDir dir;
  const std::string large(ControlSocket::kLargestRequest_bytes * 4, 'x');
  Served served(dir.file("control.sock"), [&](const std::string&, const ControlReply& reply) { reply(large); });
  auto deaf = connect_control(dir.file("control.sock"));
  REQUIRE(deaf);
  send_all(deaf->get(), "large\n");
  char one = 0;
  REQUIRE(::recv(deaf->get(), &one, 1, 0) == 1);  // the answer is on its way
  served.move_on(ControlSocket::kReadWithin + 1s);
  const unsigned before = served.turns();
  REQUIRE(eventually([&] { return served.turns() >= before + 2; }));  // it has looked at the clock while absent read
  CHECK(read_to_end(deaf->get()).size() < large.size());
}

TEST_CASE("clients beyond the limit are closed at once, and one that leaves makes room for another") {
  const TempDir dir;
  const Served served(dir.file("control.sock"), echo());
  std::vector<ControlClient> clients;
  for (std::size_t i = 0; i < ControlSocket::kMostClients; ++i) {
    auto client = ControlClient::connect(dir.file("control.sock"));
    REQUIRE(client);
    REQUIRE(client->ask("hello"));
    clients.push_back(std::move(*client));
  }
  auto one_too_many = ControlClient::connect(dir.file("control.sock"));
  CHECK((!one_too_many || !one_too_many->ask("hello")));
  clients.pop_back();
  bool served_again = false;
  for (int i = 0; i < 1000 && !served_again; ++i) {
    auto client = ControlClient::connect(dir.file("control.sock"));
    served_again = client && client->ask("hello");
    if (!served_again) std::this_thread::yield();
  }
  CHECK(served_again);
}

TEST_CASE("an idle control socket does nothing at all") {
  const TempDir dir;
  auto socket = ControlSocket::listen(dir.file("control.sock"), echo());
  REQUIRE(socket);
  auto client = connect_control(dir.file("control.sock"));
  REQUIRE(client);
  const Steady now = std::chrono::steady_clock::now();
  pollfd ready{(*socket)->fd(), POLLIN, 0};
  REQUIRE(::poll(&ready, 1, 10'000) == 1);
  (*socket)->serve(now);
  CHECK(::poll(&ready, 1, 0) == 0);
  CHECK((*socket)->wake_at() == now + ControlSocket::kIdle);
}
