#include "libmodbus_server.h"

#include <modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>

namespace baudbridge::testing {
namespace {

struct FreeContext {
  void operator()(modbus_t* context) const { modbus_free(context); }
};
using Context = std::unique_ptr<modbus_t, FreeContext>;

}  // namespace

struct LibmodbusServer::Tables {
  struct Free {
    void operator()(modbus_mapping_t* mapping) const { modbus_mapping_free(mapping); }
  };
  std::unique_ptr<modbus_mapping_t, Free> mapping{modbus_mapping_new(kTableSize, kTableSize, kTableSize, kTableSize)};
};

LibmodbusServer::LibmodbusServer(Kind kind, int line_fd, int unit)
    : kind_(kind), line_fd_(line_fd), unit_(unit), wake_(::eventfd(0, EFD_CLOEXEC)), tables_(new Tables) {
  if (kind != Kind::rtu_line) {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 4) != 0 ||
        ::getsockname(listener_.get(), generic, &size) != 0) {
      throw std::runtime_error("no loopback port for libmodbus' server");
    }
    port_ = ntohs(address.sin_port);
  }
  thread_ = std::thread([this] { run(); });
}

LibmodbusServer::~LibmodbusServer() {
  stop_ = true;
  const std::uint64_t one = 1;
  if (::write(wake_.get(), &one, sizeof one) < 0) std::abort();
  thread_.join();
}

void LibmodbusServer::run() {
  if (kind_ == Kind::rtu_line) {
    serve(line_fd_);
    return;
  }
  while (!stop_) {
    std::array<pollfd, 2> fds{{{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) <= 0 || fds[1].revents == 0) continue;
    const UniqueFd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (accepted) serve(accepted.get());
  }
}

/// One connection, until it is closed.
void LibmodbusServer::serve(int fd) {
  // libmodbus opens real serial ports only; a context is given the descriptor instead.
  const Context context(kind_ == Kind::tcp ? modbus_new_tcp("127.0.0.1", 502)
                                           : modbus_new_rtu("/dev/null", 19200, 'N', 8, 1));
  modbus_set_slave(context.get(), unit_);
  modbus_set_socket(context.get(), fd);
  std::array<std::uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> request;
  while (!stop_) {
    std::array<pollfd, 2> fds{{{wake_.get(), POLLIN, 0}, {fd, POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) <= 0 || fds[0].revents != 0) continue;
    if ((fds[1].revents & POLLIN) == 0) {
      if (kind_ != Kind::rtu_line) return;
      ::poll(fds.data(), 1, 1);  // the line is not open
      continue;
    }
    const int size = modbus_receive(context.get(), request.data());
    if (size < 0 && kind_ != Kind::rtu_line) return;
    if (size <= 0) continue;
    const std::lock_guard lock(mutex_);
    modbus_reply(context.get(), request.data(), size, tables_->mapping.get());
  }
}

std::uint16_t LibmodbusServer::holding(int address) const {
  const std::lock_guard lock(mutex_);
  return tables_->mapping->tab_registers[address];
}

void LibmodbusServer::set_holding(int address, std::uint16_t value) {
  const std::lock_guard lock(mutex_);
  tables_->mapping->tab_registers[address] = value;
}

void LibmodbusServer::set_input(int address, std::uint16_t value) {
  const std::lock_guard lock(mutex_);
  tables_->mapping->tab_input_registers[address] = value;
}

void LibmodbusServer::set_coil(int address, bool on) {
  const std::lock_guard lock(mutex_);
  tables_->mapping->tab_bits[address] = on ? 1 : 0;
}

bool LibmodbusServer::coil(int address) const {
  const std::lock_guard lock(mutex_);
  return tables_->mapping->tab_bits[address] != 0;
}

void LibmodbusServer::set_discrete(int address, bool on) {
  const std::lock_guard lock(mutex_);
  tables_->mapping->tab_input_bits[address] = on ? 1 : 0;
}

}  // namespace baudbridge::testing
