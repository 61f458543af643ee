#pragma once
// The store's tables, and the migration of older files. Private to this folder.
#include <cstdint>
#include <span>

#include "core/result.h"
#include "offline_queue/sqlite.h"
#include "offline_queue/store_state.h"

namespace baudbridge {

/// PRAGMA application_id: "BbQu".
inline constexpr std::int64_t kApplicationId = 0x42625175;

/// Migrates a file from one version to the next.
struct SchemaStep {
  std::int64_t to_version;  ///< PRAGMA user_version afterwards; from 1, ascending
  const char* sql;
};
/// All steps; the first creates the tables of an empty file. A released step never changes.
[[nodiscard]] std::span<const SchemaStep> schema_steps();

/// Runs the steps that the file has not had, in one transaction: after a power cut it has the old version or the new one.
/// Error kinds: refused: a newer version wrote it, nothing was changed; protocol: not a queue.
Result<void> migrate(Database& database, std::span<const SchemaStep> steps);
/// The file's version; changes nothing.
Result<std::int64_t> check_version(Database& database, std::span<const SchemaStep> steps);

/// Writes the one row of state, checksum and all.
inline constexpr const char* kWriteState =
    "INSERT OR REPLACE INTO "
    "state(id,accepted,acknowledged,queued,set_aside,dropped,last_seq,reserved_through,rest,crc) "  // NOLINT(words)
    "VALUES(1,?,?,?,?,?,?,?,?,?)";
Result<void> write_state(Statement& statement, const StoreState& state);
/// Error kind protocol when there is none, or its checksum is wrong.
Result<StoreState> read_state(Database& database);

}  // namespace baudbridge
