#pragma once
// What a row of ours looks like on a page of SQLite's file format (sqlite.org/fileformat2.html, sections 1.5, 1.6 and
// 2). Pure.
#include <cstdint>
#include <optional>
#include <string_view>

#include "offline_queue/spool.h"

namespace baudbridge {

/// What may be a table leaf cell of ours.
struct CellStart {
  std::uint64_t rowid = 0;
  std::uint64_t payload_size = 0;
  std::string_view local;      ///< the part of the payload that is on this page
  std::uint32_t overflow = 0;  ///< the page with the rest; 0: there is none
};

/// Reads the bytes from `at` on as a cell with a row of `queue` or `dead_lettered`; nothing if they cannot be one.
/// Cheap: nearly every place of a page is refused after a few bytes.
[[nodiscard]] std::optional<CellStart> cell_at(std::string_view page, std::size_t at);

/// The row in a whole payload; nothing if it is not one of ours. Its checksum is still to be compared.
[[nodiscard]] std::optional<StoredRecord> row_of(std::uint64_t rowid, std::string_view payload, bool& aside);

}  // namespace baudbridge
