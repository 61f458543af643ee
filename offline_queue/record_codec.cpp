#include "offline_queue/record_codec.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "offline_queue/bytes.h"
#include "offline_queue/crc32c.h"

namespace baudbridge {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kSynced = 1;  // flags
constexpr std::size_t kSmallestReading = 2;

enum Tag : std::uint8_t { kFalse, kTrue, kInteger, kUnsigned, kReal, kText, kFault };

/// The numbers of faults in the file; they never change. What no reading should have is stored as "adapter".
constexpr std::pair<Fault, std::uint8_t> kFaults[] = {
    {Fault::timeout, 1},       {Fault::checksum, 2},     {Fault::malformed, 3}, {Fault::exception, 4},
    {Fault::not_available, 5}, {Fault::out_of_range, 6}, {Fault::unplugged, 7}, {Fault::adapter, 8},
};
constexpr std::uint8_t kAdapterFault = 8;

std::uint8_t stored_fault(Fault kind) {
  for (const auto& [fault, number] : kFaults) {
    if (fault == kind) return number;
  }
  return kAdapterFault;
}

Fault fault_of(std::uint8_t stored) {
  for (const auto& [fault, number] : kFaults) {
    if (number == stored) return fault;
  }
  return Fault::adapter;
}

using Writer = BasicByteWriter<RoomForBytes>;

struct WriteValue {
  Writer& out;
  void operator()(bool value) const { out.byte(value ? kTrue : kFalse); }
  void operator()(std::int64_t value) const {
    out.byte(kInteger);
    out.signed_number(value);
  }
  void operator()(std::uint64_t value) const {
    out.byte(kUnsigned);
    out.number(value);
  }
  void operator()(double value) const {
    out.byte(kReal);
    out.real(value);
  }
  void operator()(const std::string& value) const {
    out.byte(kText);
    out.text(value);
  }
};

std::optional<Result<Value>> read_value(ByteReader& in) {
  switch (in.byte()) {
    case kFalse:
      return Value{false};
    case kTrue:
      return Value{true};
    case kInteger:
      return Value{in.signed_number()};
    case kUnsigned:
      return Value{in.number()};
    case kReal:
      return Value{in.real()};
    case kText:
      return Value{std::string(in.text())};
    case kFault: {
      const Fault kind = fault_of(in.byte());
      const auto code = static_cast<int>(in.signed_number());
      return Result<Value>(Error{kind, std::string(in.text()), code});
    }
    default:
      return std::nullopt;
  }
}

/// An upper bound: texts and bytes as they are, each number at its longest.
std::size_t max_bytes(const Record& record) {
  constexpr std::size_t kHead = 2 + 4 * kMaxNumberBytes + BootId{}.size();
  constexpr std::size_t kReading = 2 + 3 * kMaxNumberBytes;
  std::size_t most = kHead + record.device.size();
  for (const auto& reading : record.readings) {
    most += kReading + reading.point.size();
    if (!reading.value) {
      most += reading.value.error().what.size();
    } else if (const auto* text = std::get_if<std::string>(&*reading.value)) {
      most += text->size();
    }
  }
  return most;
}

}  // namespace

void encode_record(const Record& record, std::string& out) {
  const std::size_t start = out.size();
  out.resize(start + max_bytes(record));
  Writer writer(RoomForBytes{out.data() + start});
  writer.byte(kFormat);
  writer.byte(record.taken.utc_synced ? kSynced : 0);
  writer.signed_number(record.taken.utc.count());
  writer.signed_number(record.taken.boot_clock.count());
  writer.raw({reinterpret_cast<const char*>(record.taken.boot.data()), record.taken.boot.size()});
  writer.text(record.device);
  writer.number(record.readings.size());
  for (const auto& reading : record.readings) {
    writer.text(reading.point);
    if (reading.value) {
      std::visit(WriteValue{writer}, *reading.value);
    } else {
      const Error& error = reading.value.error();
      writer.byte(kFault);
      writer.byte(stored_fault(error.kind));
      writer.signed_number(error.code);
      writer.text(error.what);
    }
  }
  const auto size = static_cast<std::size_t>(writer.sink().at - out.data());
  assert(size <= out.size());
  out.resize(size);
}

std::optional<Record> decode_record(Seq seq, std::string_view body) {
  ByteReader in(body);
  if (in.byte() != kFormat) return std::nullopt;
  Record record;
  record.seq = seq;
  record.taken.utc_synced = (in.byte() & kSynced) != 0;
  record.taken.utc = Milliseconds(in.signed_number());
  record.taken.boot_clock = Milliseconds(in.signed_number());
  for (std::uint8_t& byte : record.taken.boot) byte = in.byte();
  record.device = std::string(in.text());
  const std::uint64_t count = in.number();
  if (!in.ok() || count > in.left() / kSmallestReading) return std::nullopt;
  record.readings.reserve(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string point(in.text());
    auto value = read_value(in);
    if (!value || !in.ok()) return std::nullopt;
    record.readings.push_back(Reading{std::move(point), std::move(*value)});
  }
  if (!in.finished()) return std::nullopt;
  return record;
}

bool is_event(std::string_view body) {
  ByteReader in(body);
  in.raw(2);
  in.signed_number();
  in.signed_number();
  in.raw(BootId{}.size());
  return in.text() == kBridgeDevice && in.ok();
}

std::uint32_t record_checksum(Seq seq, std::string_view body) {
  std::array<char, 8> number;
  for (std::size_t i = 0; i < number.size(); ++i) number[i] = static_cast<char>(seq >> (8 * i));
  return crc32c(body, crc32c({number.data(), number.size()}));
}

}  // namespace baudbridge
