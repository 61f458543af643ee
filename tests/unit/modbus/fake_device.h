#pragma once
// A Modbus device in memory behind the client interface: which registers it has, how many it returns, how it responds
// instead.
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/modbus/modbus_client.h"

namespace baudbridge::testing {

class FakeDevice : public ModbusClient {
 public:
  std::set<std::uint16_t> missing;   ///< a read that touches one gets exception 2
  std::uint16_t most = 125;          ///< a longer read gets exception 3
  bool too_long_is_silence = false;  ///< ... or no response
  bool missing_is_silence = false;
  std::optional<std::uint16_t> boundary;             ///< no read may span it
  std::map<std::uint16_t, std::uint16_t> registers;  ///< others hold their own address
  std::set<std::uint8_t> unknown_functions;
  std::vector<Request> requests;
  /// Looked at first: an error to give instead of a response.
  std::function<std::optional<Error>(const Request&)> instead;
  std::function<void(const Request&)> before;
  std::function<void()> on_listen;                ///< what listen() finds
  std::function<Steady(const Bytes& pdu)> clear;  ///< until when a late response is in the way

  Result<void> open() override { return {}; }
  void close() noexcept override {}
  Result<void> broadcast(const Request& request) override {
    requests.push_back(request);
    return {};
  }
  Result<void> listen() override {
    if (on_listen) on_listen();
    return {};
  }
  [[nodiscard]] Steady clear_at(std::uint8_t, const Bytes& pdu, bool) const override {
    return clear ? clear(pdu) : Steady{};
  }
  [[nodiscard]] std::vector<LateResponse> take_late() override { return {}; }
  [[nodiscard]] std::string advice() const override { return {}; }

  Result<Response> transact(const Request& request) override {
    requests.push_back(request);
    if (before) before(request);
    if (instead) {
      if (auto error = instead(request)) return *error;
    }
    const Bytes& pdu = request.pdu;
    const auto address = static_cast<std::uint16_t>(pdu[1] << 8 | pdu[2]);
    const auto count = static_cast<std::uint16_t>(pdu[3] << 8 | pdu[4]);
    if (unknown_functions.contains(pdu[0])) return exception(1);
    switch (pdu[0]) {
      case 1:
      case 2:
        return read_bits(address, count, pdu[0]);
      case 3:
      case 4:
        return read(address, count, pdu[0]);
      case 5:
        registers[address] = pdu[3] != 0 ? 1 : 0;
        break;
      case 6:
        registers[address] = count;
        break;
      case 15:
        for (std::uint16_t i = 0; i < count; ++i) {
          registers[static_cast<std::uint16_t>(address + i)] = (pdu[6U + i / 8U] >> (i % 8)) & 1;
        }
        break;
      case 16:
        for (std::uint16_t i = 0; i < count; ++i) {
          registers[static_cast<std::uint16_t>(address + i)] =
              static_cast<std::uint16_t>(pdu[6U + 2U * i] << 8 | pdu[7U + 2U * i]);
        }
        break;
      default:
        return exception(1);
    }
    return answer(Bytes(pdu.begin(), pdu.begin() + 5));
  }

  [[nodiscard]] std::uint16_t value(std::uint16_t address) const {
    const auto found = registers.find(address);
    return found == registers.end() ? address : found->second;
  }
  /// "3:0+10 3:40+2": function, address and count of the reads, function and address of the writes since the last call.
  std::string asked() {
    std::string text;
    for (const Request& request : requests) {
      const Bytes& pdu = request.pdu;
      text += (text.empty() ? "" : " ") + std::to_string(pdu[0]) + ":" + std::to_string(pdu[1] << 8 | pdu[2]);
      if (pdu[0] <= 4 || pdu[0] >= 15) text += "+" + std::to_string(pdu[3] << 8 | pdu[4]);
    }
    requests.clear();
    return text;
  }

 private:
  static Result<Response> exception(int code) { return Error{Fault::exception, "refused", code}; }
  static Result<Response> answer(Bytes pdu) {
    return Response{std::move(pdu), std::chrono::milliseconds(2), steady_now()};
  }

  Result<Response> read(std::uint16_t address, std::uint16_t count, std::uint8_t function) const {
    const std::uint32_t end = std::uint32_t{address} + count;
    if (count > most && too_long_is_silence) return Error{Fault::timeout, "no response"};
    if (count > most) return exception(3);
    if (boundary && address < *boundary && end > *boundary) return exception(2);
    const auto gone = missing.lower_bound(address);
    if (gone != missing.end() && *gone < end) {
      if (missing_is_silence) return Error{Fault::timeout, "no response"};
      return exception(2);
    }
    Bytes pdu{function, static_cast<std::uint8_t>(2 * count)};
    for (std::uint32_t i = address; i < end; ++i) {
      const std::uint16_t word = value(static_cast<std::uint16_t>(i));
      pdu.push_back(static_cast<std::uint8_t>(word >> 8));
      pdu.push_back(static_cast<std::uint8_t>(word & 0xff));
    }
    return answer(std::move(pdu));
  }

  Result<Response> read_bits(std::uint16_t address, std::uint16_t count, std::uint8_t function) const {
    Bytes pdu(2U + (count + 7U) / 8U, 0);
    pdu[0] = function;
    pdu[1] = static_cast<std::uint8_t>(pdu.size() - 2);
    for (std::uint16_t i = 0; i < count; ++i) {
      const bool on = (value(static_cast<std::uint16_t>(address + i)) & 1) != 0;
      if (on) pdu[2U + i / 8U] = static_cast<std::uint8_t>(pdu[2U + i / 8U] | 1U << (i % 8));
    }
    return answer(std::move(pdu));
  }
};

}  // namespace baudbridge::testing
