#pragma once
// The store's tables, and how files of older versions become files of this one. Private to this folder.
#include <cstdint>
#include <span>

#include "core/result.h"
#include "offline_queue/spool_state.h"
#include "offline_queue/sqlite.h"

namespace baudbridge {

/// PRAGMA application_id: "BbQu".
inline constexpr std::int64_t kApplicationId = 0x42625175;

/// What turns a file of one version into one of the next.
struct SchemaStep {
  std::int64_t to_version;  ///< PRAGMA user_version afterwards; from 1, ascending
  const char* sql;
};
/// All steps of this program; the first makes the tables of an empty file. A step never changes once it was released.
[[nodiscard]] std::span<const SchemaStep> schema_steps();

/// Does the steps that the file has not had, all of them in one transaction: a power cut leaves the old version or the
/// new one. Error kinds: refused: a newer version wrote it, nothing was changed; protocol: not a queue.
Result<void> bring_up_to_date(Database& database, std::span<const SchemaStep> steps);
/// Only looks. The file's version.
Result<std::int64_t> check_version(Database& database, std::span<const SchemaStep> steps);

/// Writes the one row of state, checksum and all.
inline constexpr const char* kWriteState =
    "INSERT OR REPLACE INTO "
    "state(id,accepted,acknowledged,queued,set_aside,dropped,last_seq,reserved_through,rest,crc) "
    "VALUES(1,?,?,?,?,?,?,?,?,?)";
Result<void> write_state(Statement& statement, const SpoolState& state);
/// Error kind protocol when there is none, or its checksum does not fit.
Result<SpoolState> read_state(Database& database);

}  // namespace baudbridge
