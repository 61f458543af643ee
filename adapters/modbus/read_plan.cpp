#include "adapters/modbus/read_plan.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace baudbridge {
namespace {

constexpr int kRequestCharacters = 8;  ///< unit, function, address, count, CRC
constexpr int kReplyCharacters = 5;    ///< unit, function, byte count, CRC
constexpr int kUnknownLineBaud = 19200;

using Items = std::vector<std::size_t>;  ///< points by table and address

/// The points of one table in one request, from the item at `begin` on.
struct Stretch {
  std::size_t begin = 0;
  std::uint32_t end = 0;  ///< address behind the last register
};

ReadBlock make_block(const UnitConfig& unit, std::span<const std::size_t> points) {
  ReadBlock block;
  block.table = unit.points[points.front()].table;
  block.address = unit.points[points.front()].address;
  block.points.assign(points.begin(), points.end());
  std::uint32_t end = 0;
  for (const std::size_t point : points) end = std::max(end, unit.points[point].end());
  block.count = static_cast<std::uint16_t>(end - block.address);
  return block;
}

Items by_address(const UnitConfig& unit, std::span<const std::size_t> due) {
  Items items(due.begin(), due.end());
  std::sort(items.begin(), items.end(), [&](std::size_t a, std::size_t b) {
    const RegisterPoint& first = unit.points[a];
    const RegisterPoint& second = unit.points[b];
    if (first.table != second.table) return first.table < second.table;
    if (first.address != second.address) return first.address < second.address;
    return first.end() < second.end();
  });
  return items;
}

/// Every register from first to end (excluded) is named by some point of the device.
bool all_declared(const UnitConfig& unit, Table table, std::uint32_t first, std::uint32_t end) {
  for (bool found = true; first < end && found;) {
    found = false;
    for (const RegisterPoint& point : unit.points) {
      if (point.table != table || point.address > first || point.end() <= first) continue;
      first = point.end();
      found = true;
    }
  }
  return first >= end;
}

/// The cheapest way to cut a table's items into blocks, from the front: best[i] is the cost of the first i items.
class Partition {
 public:
  Partition(const UnitConfig& unit, const Items& items, const Knowledge& knowledge, const WireCost& cost)
      : unit_(unit), items_(items), knowledge_(knowledge), cost_(cost) {
    gap_forbidden_.reserve(items.size());
    std::uint32_t end = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const RegisterPoint& point = unit.points[items[i]];
      const bool same_table = i > 0 && unit.points[items[i - 1]].table == point.table;
      if (!same_table) end = 0;
      gap_forbidden_.push_back(!same_table || (point.address > end && !unit.read_gaps &&
                                               !all_declared(unit, point.table, end, point.address)));
      end = std::max(end, point.end());
    }
  }

  [[nodiscard]] std::vector<ReadBlock> blocks() const {
    const std::size_t count = items_.size();
    std::vector<Duration> best(count + 1, Duration::max());
    std::vector<std::size_t> begins(count + 1, 0);
    best[0] = Duration::zero();
    for (std::size_t begin = 0; begin < count; ++begin) extend_from(begin, best, begins);
    std::vector<ReadBlock> blocks;
    for (std::size_t end = count; end > 0; end = begins[end]) {
      blocks.push_back(make_block(unit_, std::span(items_).subspan(begins[end], end - begins[end])));
    }
    std::reverse(blocks.begin(), blocks.end());
    return blocks;
  }

 private:
  /// All blocks that begin with this item.
  void extend_from(std::size_t begin, std::vector<Duration>& best, std::vector<std::size_t>& begins) const {
    const RegisterPoint& first = unit_.points[items_[begin]];
    const std::uint16_t limit =
        knowledge_.longest(first.table, holds_bits(first.table) ? unit_.max_bits : unit_.max_registers);
    std::uint32_t end = first.address;
    for (std::size_t i = begin; i < items_.size(); ++i) {
      if (i > begin && gap_forbidden_[i]) return;
      end = std::max(end, unit_.points[items_[i]].end());
      const std::uint32_t span = end - first.address;
      const bool more = end > first.end();  // points that share their registers go together, whatever is known
      if (more && (span > limit || knowledge_.refuses(first.table, first.address, end))) return;
      const Duration total = best[begin] + cost_.of(first.table, span);
      if (total >= best[i + 1]) continue;
      best[i + 1] = total;
      begins[i + 1] = begin;
    }
  }

  const UnitConfig& unit_;
  const Items& items_;
  const Knowledge& knowledge_;
  const WireCost& cost_;
  std::vector<bool> gap_forbidden_;  ///< no block may hold this item and the one before it
};

}  // namespace

WireCost wire_cost(const ModbusConfig& config, const UnitConfig& unit, Duration turnaround) {
  LineConfig line = config.line;
  if (!line_known(config)) line.baud = kUnknownLineBaud;
  const Duration character = line.character_time();
  const Duration silences = frame_silence(line) + std::max(frame_silence(line), unit.pause);
  return {character * (kRequestCharacters + kReplyCharacters) + silences + turnaround, character};
}

std::vector<ReadBlock> plan_reads(const UnitConfig& unit, std::span<const std::size_t> due, const Knowledge& knowledge,
                                  const WireCost& cost) {
  const Items items = by_address(unit, due);
  return Partition(unit, items, knowledge, cost).blocks();
}

std::pair<ReadBlock, ReadBlock> split_block(const UnitConfig& unit, const ReadBlock& block) {
  const std::uint32_t middle = block.address + block.count / 2U;
  std::size_t cut = 0;
  bool cut_at_gap = false;
  std::uint32_t nearest = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t end = 0;
  for (std::size_t i = 0; i < block.points.size(); ++i) {
    const RegisterPoint& point = unit.points[block.points[i]];
    if (i > 0 && point.address >= end) {
      const bool gap = point.address > end;
      const std::uint32_t distance = point.address > middle ? point.address - middle : middle - point.address;
      if ((gap && !cut_at_gap) || (gap == cut_at_gap && distance < nearest)) {
        cut = i;
        cut_at_gap = gap;
        nearest = distance;
      }
    }
    end = std::max(end, point.end());
  }
  if (cut == 0) return {block, ReadBlock{}};
  const std::span points(block.points);
  return {make_block(unit, points.first(cut)), make_block(unit, points.subspan(cut))};
}

std::vector<ReadBlock> parts_of(const UnitConfig& unit, const ReadBlock& block,
                                const std::function<bool(const ReadBlock&)>& allowed) {
  std::vector<ReadBlock> parts;
  for (std::span<const std::size_t> left(block.points); !left.empty();) {
    std::size_t taken = left.size();
    for (; taken > 0; --taken) {
      ReadBlock part = make_block(unit, left.first(taken));
      if (taken < left.size() && part.end() > unit.points[left[taken]].address) continue;  // they share registers
      if (!allowed(part)) continue;
      parts.push_back(std::move(part));
      break;
    }
    if (taken == 0) return {};
    left = left.subspan(taken);
  }
  return parts;
}

ReadBlock crossing_of(const UnitConfig& unit, const ReadBlock& first, const ReadBlock& second) {
  std::size_t last = first.points.front();
  for (const std::size_t point : first.points) {
    if (unit.points[point].end() == first.end()) last = point;
  }
  const std::size_t pair[] = {last, second.points.front()};
  return make_block(unit, pair);
}

}  // namespace baudbridge
