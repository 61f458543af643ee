#pragma once
// Rows of the store on the pages of a damaged SQLite file (sqlite.org/fileformat2.html, sections 1.5, 1.6 and 2). Pure.
// Private to this folder.
#include <cstdint>
#include <optional>
#include <string_view>

#include "offline_queue/store.h"

namespace baudbridge {

/// A possible leaf cell of one of the store's tables.
struct TableCell {
  std::uint64_t rowid = 0;
  std::uint64_t payload_size = 0;
  std::string_view local;      ///< the part of the payload that is on this page
  std::uint32_t overflow = 0;  ///< the page with the rest; 0: there is none
};

/// Reads the bytes from `at` on as a cell of the two tables of records; none if they cannot be one. Cheap: most offsets
/// are excluded after a few bytes.
[[nodiscard]] std::optional<TableCell> cell_at(std::string_view page, std::size_t at);

/// The row in a complete payload; none if it is not one of these tables. Its checksum is not compared.
[[nodiscard]] std::optional<StoredRecord> row_of(std::uint64_t rowid, std::string_view payload, bool& dead_letter);

}  // namespace baudbridge
