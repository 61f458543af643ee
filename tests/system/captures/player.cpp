#include "player.h"

#include <chrono>
#include <utility>

#include "adapters/serial/checksum.h"

namespace baudbridge::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReadRequest = 8;  // unit, function, register, count, CRC
constexpr std::size_t kReplyHead = 3;    // unit, function, byte count
constexpr int kIllegalAddress = 2;
constexpr int kException = 0x80;

int byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}
int word_at(std::string_view bytes, std::size_t at) {
  return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}

std::string with_crc(std::string frame) {
  const std::uint32_t crc = checksum_of(ChecksumKind::crc16_modbus, frame);
  frame += static_cast<char>(crc & 0xFF);
  return frame + static_cast<char>(crc >> 8);
}

}  // namespace

RecordedDevice::RecordedDevice(Capture capture, const std::string& link) : capture_(std::move(capture)), pty_(link) {
  if (capture_.adapter != "modbus-rtu") return;
  for (const Exchange& exchange : capture_.exchanges) {
    const int function = byte_at(exchange.request, 1);
    const int first = word_at(exchange.request, 2);
    for (int i = 0; i < word_at(exchange.request, 4); ++i) {
      const auto value = word_at(exchange.reply, kReplyHead + 2 * static_cast<std::size_t>(i));
      registers_[{function, first + i}] = static_cast<std::uint16_t>(value);
    }
  }
}

void RecordedDevice::turn() {
  received_ += pty_.receive_now();
  if (received_.empty()) return;
  if (!capture_.stream.empty()) return send();
  if (capture_.adapter == "modbus-rtu") return answer_modbus();
  answer();
}

void RecordedDevice::send() {
  if (!talked_) pty_.send(capture_.stream);
  talked_ = true;
  received_.clear();
}

void RecordedDevice::answer() {
  const Exchange& exchange = capture_.exchanges[std::min(answered_, capture_.exchanges.size() - 1)];
  if (received_.size() < exchange.request.size()) return;
  if (received_ == exchange.request) {
    pty_.send(exchange.reply);
  } else {
    strange_.push_back(received_);
  }
  received_.clear();
  ++answered_;
}

/// As recorded, or, if the gateway reads other blocks than the recorded master did, from the recorded registers.
void RecordedDevice::answer_modbus() {
  if (received_.size() < kReadRequest) return;
  const std::string request = std::exchange(received_, {});
  for (const Exchange& exchange : capture_.exchanges) {
    if (request == exchange.request) {
      pty_.send(exchange.reply);
      return;
    }
  }
  strange_.push_back(request);
  pty_.send(reply_of_image(request));
}

std::string RecordedDevice::reply_of_image(std::string_view request) const {
  const int function = byte_at(request, 1);
  std::string data;
  for (int i = 0; i < word_at(request, 4); ++i) {
    const auto found = registers_.find({function, word_at(request, 2) + i});
    if (found == registers_.end()) {
      return with_crc({request[0], static_cast<char>(function | kException), static_cast<char>(kIllegalAddress)});
    }
    data += static_cast<char>(found->second >> 8);
    data += static_cast<char>(found->second & 0xFF);
  }
  return with_crc(std::string{request[0], request[1], static_cast<char>(data.size())} + data);
}

Player::Player(const std::vector<std::string>& ids, const std::string& folder) {
  for (const std::string& id : ids) {
    devices_.push_back(std::make_unique<RecordedDevice>(load_capture(id), folder + "/" + id));
  }
}

void Player::start() {
  thread_.start([this] {
    do {
      for (const auto& device : devices_) device->turn();
    } while (thread_.wait(std::chrono::steady_clock::now() + 1ms));
  });
}

void Player::stop() {
  thread_.stop();
}

}  // namespace baudbridge::testing
