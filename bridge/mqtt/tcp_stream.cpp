#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "bridge/mqtt/byte_stream.h"

namespace baudbridge::mqtt {
namespace {

class TcpStream final : public ByteStream {
 public:
  explicit TcpStream(UniqueFd socket) : socket_(std::move(socket)) {}

  Result<bool> open() override { return true; }

  Result<std::size_t> read(std::span<char> room) override {
    const ssize_t count = ::recv(socket_.get(), room.data(), room.size(), 0);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) return Error{Fault::closed, "the broker or the network ended it"};
    return nothing_or_error();
  }
  Result<std::size_t> write(std::string_view bytes) override {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return count >= 0 ? Result<std::size_t>(static_cast<std::size_t>(count)) : nothing_or_error();
  }
  void end_writing() override { ::shutdown(socket_.get(), SHUT_WR); }
  [[nodiscard]] bool wants_to_write() const override { return false; }
  [[nodiscard]] int descriptor() const override { return socket_.get(); }
  [[nodiscard]] std::string missing() const override { return ""; }

 private:
  static Result<std::size_t> nothing_or_error() {
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    return Error{Fault::io, std::strerror(errno), errno};
  }

  UniqueFd socket_;
};

}  // namespace

std::unique_ptr<ByteStream> tcp_stream(UniqueFd socket) {
  return std::make_unique<TcpStream>(std::move(socket));
}

}  // namespace baudbridge::mqtt
