#include "adapters/modbus/server/server_context.h"

#include <modbus/modbus.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <new>

#include "adapters/modbus/pdu.h"
#include "adapters/modbus/server/request.h"
#include "adapters/modbus/tcp_frame.h"

namespace baudbridge {
namespace {

constexpr std::uint8_t kExceptionBit = 0x80;

struct FreeMapping {
  void operator()(modbus_mapping_t* mapping) const { modbus_mapping_free(mapping); }
};
using Mapping = std::unique_ptr<modbus_mapping_t, FreeMapping>;

/// The registers that a request names, as far as libmodbus needs them to write the response.
Mapping mapping_for(std::span<const std::uint8_t> request, std::span<const std::uint8_t> response) {
  const std::uint8_t function = request[0];
  const auto start = static_cast<unsigned>(request[1] << 8 | request[2]);
  const bool single = function == 5 || function == 6;
  const auto count = single ? 1U : static_cast<unsigned>(request[3] << 8 | request[4]);
  const auto size = [&](std::initializer_list<int> functions) {
    return std::find(functions.begin(), functions.end(), function) == functions.end() ? 0U : count;
  };
  Mapping mapping(modbus_mapping_new_start_address(start, size({1, 5, 15}), start, size({2}), start, size({3, 6, 16}),
                                                   start, size({4})));
  if (!mapping) return mapping;
  if (function <= 2) {
    const std::vector<bool> bits = response_bits(response, static_cast<std::uint16_t>(count));
    std::copy(bits.begin(), bits.end(), function == 1 ? mapping->tab_bits : mapping->tab_input_bits);
  } else if (function <= 4) {
    const std::vector<std::uint16_t> registers = response_registers(response);
    std::copy_n(registers.begin(), std::min<std::size_t>(registers.size(), count),
                function == 3 ? mapping->tab_registers : mapping->tab_input_registers);
  }
  return mapping;
}

bool send_all(int fd, std::span<const std::uint8_t> bytes) {
  return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == std::ssize(bytes);
}

}  // namespace

struct ServerContext::Context {
  modbus_t* modbus = nullptr;
};

void ServerContext::Free::operator()(Context* context) const {
  modbus_free(context->modbus);
  delete context;
}

ServerContext::ServerContext() : context_(new Context{modbus_new_tcp("127.0.0.1", MODBUS_TCP_DEFAULT_PORT)}) {
  if (context_->modbus == nullptr) throw std::bad_alloc();
}

bool ServerContext::usable(int fd) {
  return fd >= 0 && fd < FD_SETSIZE;
}

std::vector<std::uint8_t> ServerContext::receive(int fd, std::span<const std::uint8_t> waiting) {
  std::array<std::uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> bytes{};
  ssize_t got = -1;
  if (forwardable(waiting[kMbapBytes])) {
    modbus_set_socket(context_->modbus, fd);
    got = modbus_receive(context_->modbus, bytes.data());
  } else {  // its length is in the header alone, where libmodbus does not look
    got = ::recv(fd, bytes.data(), waiting.size(), MSG_DONTWAIT);
  }
  if (got != std::ssize(waiting)) return {};
  return {bytes.begin(), bytes.begin() + got};
}

bool ServerContext::reply(int fd, std::span<const std::uint8_t> request, std::span<const std::uint8_t> response) {
  const Mapping mapping = mapping_for(request.subspan(kMbapBytes), response);
  if (!mapping) return false;
  modbus_set_socket(context_->modbus, fd);
  return modbus_reply(context_->modbus, request.data(), static_cast<int>(request.size()), mapping.get()) > 0;
}

bool ServerContext::reply_exception(int fd, std::span<const std::uint8_t> request, int code) {
  if (code <= 0 || code >= MODBUS_EXCEPTION_MAX) {  // a maker's own, which libmodbus refuses
    const std::array<std::uint8_t, 2> pdu{static_cast<std::uint8_t>(request[kMbapBytes] | kExceptionBit),
                                          static_cast<std::uint8_t>(code)};
    const auto transaction = static_cast<std::uint16_t>(request[0] << 8 | request[1]);
    return send_all(fd, tcp_frame(transaction, request[kMbapBytes - 1], pdu));
  }
  modbus_set_socket(context_->modbus, fd);
  return modbus_reply_exception(context_->modbus, request.data(), static_cast<unsigned>(code)) > 0;
}

}  // namespace baudbridge
