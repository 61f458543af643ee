#include "offline_queue/page_search.h"

#include <array>
#include <string>

namespace baudbridge {
namespace {

constexpr std::uint64_t kUsable = Store::kPageBytes;
constexpr std::uint64_t kMaxPayload = std::uint64_t{1} << 30;
constexpr std::size_t kQueueColumns = 3;
constexpr std::size_t kDeadLetterColumns = 6;

/// Section 1.6: big endian, seven bits a byte, all eight of the ninth.
bool read_varint(std::string_view data, std::size_t& at, std::uint64_t& value) {
  value = 0;
  for (int i = 0; i < 9; ++i) {
    if (at >= data.size()) return false;
    const auto byte = static_cast<unsigned char>(data[at++]);
    if (i == 8) {
      value = (value << 8) | byte;
      return true;
    }
    value = (value << 7) | (byte & 0x7FU);
    if ((byte & 0x80U) == 0) return true;
  }
  return false;
}

/// Section 2.1: how many bytes a column of this serial type takes.
std::uint64_t column_size(std::uint64_t type) {
  constexpr std::array<std::uint64_t, 10> kFixed{0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
  if (type < kFixed.size()) return kFixed[static_cast<std::size_t>(type)];
  return type < 12 ? 0 : (type - 12) / 2;
}

bool is_integer(std::uint64_t type) {
  return (type >= 1 && type <= 6) || type == 8 || type == 9;
}
bool is_blob(std::uint64_t type) {
  return type >= 12 && type % 2 == 0;
}
bool is_text(std::uint64_t type) {
  return type >= 13 && type % 2 == 1;
}

struct RowHead {
  std::array<std::uint64_t, kDeadLetterColumns> types{};
  std::size_t columns = 0;
  std::size_t size = 0;
};

/// The record's header (section 2.1), if it is of one of the store's tables and fits the payload's size.
std::optional<RowHead> head_of(std::string_view payload, std::uint64_t payload_size) {
  std::size_t at = 0;
  std::uint64_t head_size = 0;
  if (!read_varint(payload, at, head_size) || head_size < kQueueColumns + 1 || head_size > payload.size())
    return std::nullopt;
  RowHead head;
  head.size = static_cast<std::size_t>(head_size);
  std::uint64_t total = head_size;
  while (at < head.size) {
    if (head.columns == kDeadLetterColumns) return std::nullopt;
    std::uint64_t type = 0;
    if (!read_varint(payload, at, type)) return std::nullopt;
    total += column_size(type);
    head.types[head.columns++] = type;
  }
  if (at != head.size || total != payload_size) return std::nullopt;
  const auto& types = head.types;
  const bool queue = head.columns >= kQueueColumns && types[0] == 0 && is_integer(types[1]) && is_blob(types[2]);
  if (!queue) return std::nullopt;
  if (head.columns == kQueueColumns) return head;
  const bool dead_letter =
      head.columns == kDeadLetterColumns && is_text(types[3]) && is_integer(types[4]) && is_integer(types[5]);
  if (!dead_letter) return std::nullopt;
  return head;
}

/// Big endian two's complement.
std::int64_t integer_of(std::uint64_t type, std::string_view bytes) {
  if (type == 8 || type == 9) return static_cast<std::int64_t>(type - 8);
  std::uint64_t value = !bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0x80U) != 0 ? ~std::uint64_t{0} : 0;
  for (const char byte : bytes) value = (value << 8) | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(value);
}

}  // namespace

std::optional<TableCell> cell_at(std::string_view page, std::size_t at) {
  TableCell cell;
  if (!read_varint(page, at, cell.payload_size) || cell.payload_size < 8 || cell.payload_size > kMaxPayload) {
    return std::nullopt;
  }
  if (!read_varint(page, at, cell.rowid) || cell.rowid == 0 || (cell.rowid >> 63) != 0) return std::nullopt;
  // Section 1.5: how much of a payload stays on the page.
  const std::uint64_t most = kUsable - 35;
  std::uint64_t local = cell.payload_size;
  if (local > most) {
    const std::uint64_t least = (kUsable - 12) * 32 / 255 - 23;
    const std::uint64_t fitting = least + (cell.payload_size - least) % (kUsable - 4);
    local = fitting <= most ? fitting : least;
  }
  const std::uint64_t pointer = local < cell.payload_size ? 4 : 0;
  if (local + pointer > page.size() - at) return std::nullopt;
  cell.local = page.substr(at, static_cast<std::size_t>(local));
  if (!head_of(cell.local, cell.payload_size)) return std::nullopt;
  for (std::size_t i = 0; i < pointer; ++i) {
    cell.overflow = (cell.overflow << 8) | static_cast<unsigned char>(page[at + cell.local.size() + i]);
  }
  return cell;
}

std::optional<StoredRecord> row_of(std::uint64_t rowid, std::string_view payload, bool& dead_letter) {
  const auto head = head_of(payload, payload.size());
  if (!head) return std::nullopt;
  std::array<std::string_view, kDeadLetterColumns> columns;
  std::size_t at = head->size;
  for (std::size_t i = 0; i < head->columns; ++i) {
    columns[i] = payload.substr(at, static_cast<std::size_t>(column_size(head->types[i])));
    at += columns[i].size();
  }
  StoredRecord record;
  record.seq = rowid;
  record.crc = static_cast<std::uint32_t>(integer_of(head->types[1], columns[1]));
  record.body = std::string(columns[2]);
  dead_letter = head->columns == kDeadLetterColumns;
  if (dead_letter) {
    record.why = std::string(columns[3]);
    record.retry = integer_of(head->types[4], columns[4]) != 0;
    record.since = Milliseconds(integer_of(head->types[5], columns[5]));
  }
  return record;
}

}  // namespace baudbridge
