#include "offline_queue/store_schema.h"

#include <string>

namespace baudbridge {
namespace {

constexpr SchemaStep kSteps[] = {
    {1,
     "CREATE TABLE state(id INTEGER PRIMARY KEY CHECK(id=1),"
     " accepted INTEGER NOT NULL, acknowledged INTEGER NOT NULL, queued INTEGER NOT NULL,"
     " set_aside INTEGER NOT NULL, dropped INTEGER NOT NULL,"  // NOLINT(words)
     " last_seq INTEGER NOT NULL, reserved_through INTEGER NOT NULL, rest BLOB NOT NULL, crc INTEGER NOT NULL) STRICT;"
     "CREATE TABLE queue(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"
     "CREATE TABLE set_aside("  // NOLINT(words)
     "seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL,"
     " why TEXT NOT NULL, retry INTEGER NOT NULL, since INTEGER NOT NULL) STRICT;"
     "CREATE TABLE boots(boot BLOB PRIMARY KEY, age_start INTEGER NOT NULL, anchor_boot_clock INTEGER,"
     " anchor_utc INTEGER, last_seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;"},
};

Error not_a_queue(const std::string& why) {
  return Error{Fault::protocol, "is not a queue of baudbridge: " + why};
}

}  // namespace

std::span<const SchemaStep> schema_steps() {
  return kSteps;
}

Result<std::int64_t> check_version(Database& database, std::span<const SchemaStep> steps) {
  const auto application = database.query_number("PRAGMA application_id");
  if (!application) return application.error();
  const auto version = database.query_number("PRAGMA user_version");
  if (!version) return version.error();
  const auto tables = database.query_number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*application == 0 && *version == 0 && *tables == 0) return 0;
  if (*application != kApplicationId) return not_a_queue("its application_id is that of another application");
  const std::int64_t newest = steps.back().to_version;
  if (*version > newest) {
    return Error{Fault::refused, "was written by a newer version of baudbridge (format " + std::to_string(*version) +
                                     "; this program reads formats up to " + std::to_string(newest) +
                                     "): install the newer version, or move the file away"};
  }
  if (*version < 1) return not_a_queue("it has no format version");
  return *version;
}

Result<void> migrate(Database& database, std::span<const SchemaStep> steps) {
  const auto version = check_version(database, steps);
  if (!version) return version.error();
  if (*version == steps.back().to_version) return {};
  std::string sql = "BEGIN IMMEDIATE;PRAGMA application_id=" + std::to_string(kApplicationId) + ";";
  for (const auto& step : steps) {
    if (step.to_version > *version) sql += step.sql;
  }
  sql += "PRAGMA user_version=" + std::to_string(steps.back().to_version) + ";COMMIT";
  auto done = database.execute(sql.c_str());
  if (!done) static_cast<void>(database.execute("ROLLBACK"));
  return done;
}

Result<void> write_state(Statement& statement, const StoreState& state) {
  const std::string rest = encode_state_rest(state);
  statement.bind(1, state.accepted).bind(2, state.acknowledged).bind(3, state.queued).bind(4, state.dead_lettered);
  statement.bind(5, state.dropped).bind(6, state.last_seq).bind(7, state.reserved_through);
  statement.bind_blob(8, rest).bind(9, std::uint64_t{state_checksum(state)});
  const auto done = statement.run();
  if (!done) return done.error();
  return {};
}

Result<StoreState> read_state(Database& database) {
  auto statement = database.prepare(
      "SELECT accepted,acknowledged,queued,set_aside,"  // NOLINT(words)
      "dropped,last_seq,reserved_through,rest,crc FROM state WHERE id=1");
  if (!statement) return statement.error();
  const auto row = statement->step();
  if (!row) return row.error();
  if (!*row) return not_a_queue("its state is missing");
  StoreState state;
  state.accepted = statement->number(0);
  state.acknowledged = statement->number(1);
  state.queued = statement->number(2);
  state.dead_lettered = statement->number(3);
  state.dropped = statement->number(4);
  state.last_seq = statement->number(5);
  state.reserved_through = statement->number(6);
  const bool readable = decode_state_rest(statement->bytes(7), state);
  if (!readable || state_checksum(state) != statement->number(8)) {
    return Error{Fault::protocol, "the checksum of its state is wrong"};
  }
  return state;
}

}  // namespace baudbridge
