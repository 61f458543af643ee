#include "offline_queue/salvage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <utility>

#include "offline_queue/page_search.h"

namespace baudbridge {
namespace {

constexpr std::size_t kRowsPerStep = 256;
constexpr std::size_t kBytesPerStep = 1 << 20;
constexpr std::uint64_t kPagesPerStep = 256;
constexpr std::uint64_t kWalHead = 32;    // sqlite.org/fileformat2.html, section 4.1
constexpr std::uint64_t kFrameHead = 24;  // starts with the page's number

std::uint64_t size_of(const UniqueFd& fd) {
  struct stat status {};
  return fd && ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size)
                                                                          : 0;
}

/// One page; what a truncated file does not have of it is zero.
std::optional<std::string> read_page_at(const UniqueFd& fd, std::uint64_t offset) {
  std::string page(Store::kPageBytes, '\0');
  const ssize_t n = ::pread(fd.get(), page.data(), page.size(), static_cast<off_t>(offset));
  if (n <= 0) return std::nullopt;
  return page;
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = (value << 8) | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

Salvage::Salvage(std::string path)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)),
      wal_(::open((path_ + "-wal").c_str(), O_RDONLY | O_CLOEXEC)) {
  auto store = Store::open_read_only(path_);
  if (store) {
    store_ = std::move(*store);
  } else {
    structure_lost_ = true;
  }
}

Salvage::~Salvage() = default;

bool Salvage::step(SalvageMark& mark, std::vector<Found>& found) {
  found.clear();
  switch (mark.phase) {
    case kQueueTable:
    case kDeadLetterTable:
      return step_table(mark, found);
    case kPages:
    case kWalPages:
      return step_pages(mark, found);
    default:
      return false;
  }
}

bool Salvage::step_table(SalvageMark& mark, std::vector<Found>& found) {
  const bool dead_letters = mark.phase == kDeadLetterTable;
  auto rows = Result<std::vector<StoredRecord>>(Error{Fault::io, "not open"});
  if (store_) {
    rows = dead_letters
               ? store_->read_dead_letters(mark.position, kRowsPerStep)
               : store_->read(mark.position, std::numeric_limits<std::int64_t>::max(), kRowsPerStep, kBytesPerStep);
  }
  if (!rows) {
    structure_lost_ = true;
    mark.phase = kPages;
    mark.position = 0;
    return true;
  }
  for (auto& row : *rows) {
    mark.position = row.seq;
    if (row.whole()) {
      found.push_back({std::move(row), dead_letters});
    } else {
      ++mark.damaged;
    }
  }
  if (!rows->empty()) return true;
  mark.position = 0;
  if (!dead_letters) {
    mark.phase = kDeadLetterTable;
  } else {
    mark.phase = mark.missing > 0 || mark.damaged > 0 ? kPages : kFinished;
  }
  return mark.phase != kFinished;
}

bool Salvage::step_pages(SalvageMark& mark, std::vector<Found>& found) {
  const bool in_wal = mark.phase == kWalPages;
  const UniqueFd& fd = in_wal ? wal_ : file_;
  const std::uint64_t size = size_of(fd);
  const std::uint64_t head = in_wal ? kWalHead : 0;
  const std::uint64_t stride = Store::kPageBytes + (in_wal ? kFrameHead : 0);
  for (std::uint64_t i = 0; i < kPagesPerStep; ++i, ++mark.position) {
    const std::uint64_t offset = head + mark.position * stride + (in_wal ? kFrameHead : 0);
    if (offset >= size) {
      mark.phase = in_wal ? kFinished : kWalPages;
      mark.position = 0;
      return mark.phase != kFinished;
    }
    if (const auto page = read_page_at(fd, offset)) search_page(*page, mark, found);
  }
  return true;
}

/// Tries every offset: the page's own list of cells may be damaged.
void Salvage::search_page(std::string_view page, SalvageMark& mark, std::vector<Found>& found) const {
  for (std::size_t at = 0; at < page.size(); ++at) {
    const auto cell = cell_at(page, at);
    if (!cell) continue;
    for (const bool from_wal : {true, false}) {
      Found one;
      const auto row =
          row_of(cell->rowid, payload(cell->local, cell->payload_size, cell->overflow, from_wal), one.dead_letter);
      if (!row || !row->whole()) {
        if (from_wal && cell->overflow != 0) continue;
        break;
      }
      if (one.dead_letter || row->seq >= mark.not_before) {
        one.record = *row;
        found.push_back(std::move(one));
      }
      break;
    }
  }
}

std::optional<std::string> Salvage::load_page(std::uint32_t number, bool from_wal) const {
  if (from_wal) {
    const std::uint64_t size = size_of(wal_);
    const std::uint64_t stride = kFrameHead + Store::kPageBytes;
    const std::uint64_t frames = size > kWalHead ? (size - kWalHead) / stride : 0;
    for (std::uint64_t frame = frames; frame-- > 0;) {
      std::array<char, 4> head{};
      const std::uint64_t offset = kWalHead + frame * stride;
      if (::pread(wal_.get(), head.data(), head.size(), static_cast<off_t>(offset)) != 4) continue;
      if (big_endian({head.data(), head.size()}) == number) return read_page_at(wal_, offset + kFrameHead);
    }
  }
  if (!file_) return std::nullopt;
  return read_page_at(file_, (std::uint64_t{number} - 1) * Store::kPageBytes);
}

/// The payload with its part on overflow pages (section 1.6: the next page's number, then content).
std::string Salvage::payload(std::string_view local, std::uint64_t size, std::uint32_t overflow, bool from_wal) const {
  std::string whole(local);
  while (whole.size() < size && overflow != 0) {
    const auto page = load_page(overflow, from_wal);
    if (!page) break;
    overflow = big_endian(*page);
    whole += std::string_view(*page).substr(4, static_cast<std::size_t>(size) - whole.size());
  }
  return whole;
}

}  // namespace baudbridge
