#include "adapters/modbus/unit_writer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "adapters/shaping.h"

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr int kIllegalFunction = 1;  ///< exception code, Modbus Application Protocol 1.1b3, section 7
constexpr unsigned kReadBacks = 4;   ///< a device may need a moment to apply what was written
constexpr Duration kReadBackPause = 50ms;
constexpr Duration kMargin = 1s;  ///< for silence and late responses, in addition to the timeouts

/// Function 5 or 6 for one, 15 or 16 for several.
Bytes write_request(Table table, std::uint16_t address, const std::vector<std::uint16_t>& words, bool multiple) {
  if (holds_bits(table)) {
    if (!multiple) return write_coil_request(address, words.front() != 0);
    return write_coils_request(address, std::vector<bool>(words.begin(), words.end()));
  }
  if (!multiple) return write_register_request(address, words.front());
  return write_registers_request(address, words);
}

/// The shaped value of what stands in a point's registers.
Result<Value> shaped(const Point& common, const RegisterPoint& point, std::span<const std::uint16_t> words) {
  if (holds_bits(point.table)) return shape(common, Value{words.front() != 0}, std::nullopt);
  const auto decoded = decode_registers(point.format, words);
  if (!decoded) return decoded.error();
  if (point.format.type == RegisterType::string) return shape(common, decoded->value, std::nullopt);
  return shape(common, decoded->value, decoded->bits);
}

bool same(const RegisterPoint& point, std::span<const std::uint16_t> written, std::span<const std::uint16_t> found) {
  if (holds_bits(point.table) || point.format.type == RegisterType::string) {
    return std::equal(written.begin(), written.end(), found.begin(), found.end());
  }
  return raw_bits(point.format, written) == raw_bits(point.format, found);
}

}  // namespace

UnitWriter::UnitWriter(const ModbusConfig& config, const DevicePlan& device, UnitLink& link, ModbusClient& client,
                       std::stop_token stop)
    : config_(config), device_(device), unit_(link.unit()), link_(link), client_(client), stop_(std::move(stop)) {}

UnitLink::Limits UnitWriter::limits() const {
  UnitLink::Limits limits;
  limits.retries = unit_.retries;
  limits.fresh = true;
  limits.stop = stop_;
  limits.deadline = steady_now() + (unit_.timeout + unit_.pause + kMargin) * (unit_.retries + 1);
  return limits;
}

Result<std::vector<Reading>> UnitWriter::write(std::span<const std::pair<std::size_t, Value>> points) {
  if (auto encoded = encode(points); !encoded) return encoded.error();
  for (const Piece& piece : pieces()) {
    if (auto sent = send(piece); !sent) {
      std::string names;
      for (const std::size_t write : piece.writes) names += (names.empty() ? "" : ", ") + name_of(writes_[write].point);
      return in_context(names, sent.error());
    }
  }
  std::vector<Reading> readings;
  for (const PointWrite& write : writes_) {
    if (is_broadcast(config_, unit_)) {
      readings.push_back(as_written(write));
      continue;
    }
    auto reading = read_back(write);
    if (!reading) return in_context(name_of(write.point), reading.error());
    readings.push_back(std::move(*reading));
  }
  return readings;
}

/// All values into registers; nothing is written yet.
Result<void> UnitWriter::encode(std::span<const std::pair<std::size_t, Value>> points) {
  for (const auto& [index, wanted] : points) {
    const RegisterPoint& point = unit_.points[index];
    const auto raw = unshape(device_.points[index], wanted);
    if (!raw) return in_context(name_of(index), raw.error());
    std::vector<std::uint16_t> before;
    if (!holds_bits(point.table) && shares_register(point.format)) {
      // Another point of the same command may have changed the same registers.
      for (const PointWrite& write : writes_) {
        const RegisterPoint& other = unit_.points[write.point];
        if (other.table == point.table && other.address == point.address && other.size() == point.size()) {
          before = write.words;
        }
      }
      if (before.empty()) {
        if (is_broadcast(config_, unit_)) {
          return Error{Fault::refused, name_of(index) +
                                           ": it is a part of a register, whose rest cannot be read from "
                                           "unit 0 (broadcast)"};
        }
        auto found = current(point);
        if (!found) return in_context(name_of(index), found.error());
        before = std::move(*found);
      }
    }
    auto words = encode_registers(point.format, *raw, before);
    if (!words) return in_context(name_of(index), words.error());
    const auto read = shaped(device_.points[index], point, *words);
    if (!read && read.error().kind == Fault::not_available) {
      return Error{Fault::refused, name_of(index) + ": " + value_text(wanted) + " means \"no value\" (not_available)"};
    }
    writes_.push_back({index, std::move(*words)});
  }
  return {};
}

Result<std::vector<std::uint16_t>> UnitWriter::current(const RegisterPoint& point) {
  auto response = link_.transact(client_, read_request(point.table, point.address, point.size()), limits());
  if (!response) return response.error();
  if (holds_bits(point.table)) {
    const bool on = response_bits(response->pdu, 1).front();
    return std::vector<std::uint16_t>{static_cast<std::uint16_t>(on ? 1 : 0)};
  }
  return response_registers(response->pdu);
}

/// The points as requests, by address. Later points in the same registers hold what earlier ones changed.
std::vector<UnitWriter::Piece> UnitWriter::pieces() const {
  std::vector<std::size_t> sorted(writes_.size());
  for (std::size_t i = 0; i < sorted.size(); ++i) sorted[i] = i;
  const auto point_of = [&](std::size_t write) -> const RegisterPoint& { return unit_.points[writes_[write].point]; };
  std::stable_sort(sorted.begin(), sorted.end(), [&](std::size_t a, std::size_t b) {
    if (point_of(a).table != point_of(b).table) return point_of(a).table < point_of(b).table;
    return point_of(a).address < point_of(b).address;
  });
  std::vector<Piece> pieces;
  for (const std::size_t write : sorted) {
    const RegisterPoint& point = point_of(write);
    const std::vector<std::uint16_t>& words = writes_[write].words;
    Piece* last = pieces.empty() ? nullptr : &pieces.back();
    const bool same_table = last != nullptr && last->table == point.table;
    if (same_table && last->address == point.address && last->words.size() == words.size()) {
      last->words = words;
      last->writes.push_back(write);
      continue;
    }
    const std::size_t most =
        holds_bits(point.table) ? unit_.max_bits : std::min(unit_.max_registers, kMaxWriteRegisters);
    if (same_table && last->multiple && point.write_multiple && last->address + last->words.size() == point.address &&
        last->words.size() + words.size() <= most) {
      last->words.insert(last->words.end(), words.begin(), words.end());
      last->writes.push_back(write);
      continue;
    }
    pieces.push_back({point.table, point.address, words, point.write_multiple || words.size() > 1, {write}});
  }
  return pieces;
}

Result<void> UnitWriter::send(const Piece& piece) {
  if (is_broadcast(config_, unit_)) {
    return link_.broadcast(client_, write_request(piece.table, piece.address, piece.words, piece.multiple), limits());
  }
  auto response =
      link_.transact(client_, write_request(piece.table, piece.address, piece.words, piece.multiple), limits());
  if (response) return {};
  const Error& error = response.error();
  // The device may support only the other function; nothing was written yet.
  if (error.kind == Fault::exception && error.code == kIllegalFunction && piece.words.size() == 1) {
    response =
        link_.transact(client_, write_request(piece.table, piece.address, piece.words, !piece.multiple), limits());
    if (response) return {};
  }
  return response.error();
}

Reading UnitWriter::as_written(const PointWrite& write) const {
  const Point& common = device_.points[write.point];
  return {common.id, shaped(common, unit_.points[write.point], write.words)};
}

Result<Reading> UnitWriter::read_back(const PointWrite& write) {
  const Point& common = device_.points[write.point];
  const RegisterPoint& point = unit_.points[write.point];
  std::vector<std::uint16_t> found;
  for (unsigned attempt = 0; attempt < kReadBacks; ++attempt) {
    if (attempt > 0) (void)wait_input(-1, steady_now() + kReadBackPause, -1);
    auto now = current(point);
    if (!now && now.error().kind == Fault::exception) return as_written(write);  // it can only be written
    if (!now) {
      return Error{now.error().kind, "it took the value, but reading it back failed: " + now.error().what,
                   now.error().code};
    }
    found = std::move(*now);
    if (same(point, write.words, found)) return Reading{common.id, shaped(common, point, found)};
  }
  const auto value = shaped(common, point, found);
  return Error{Fault::refused, "the device took the value, but holds " +
                                   (value ? value_text(*value) : value.error().what) + " afterwards"};
}

}  // namespace baudbridge
