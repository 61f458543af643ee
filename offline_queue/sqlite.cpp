#include "offline_queue/sqlite.h"

#include <sqlite3.h>

#include <cassert>
#include <utility>

namespace baudbridge {
namespace {

Error error_of(sqlite3* database, int code) {
  const int primary = code & 0xFF;
  std::string what = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) {
    what += " (SQLite result " + std::to_string(code) + ")";
  }
  return Error{primary == SQLITE_FULL ? Fault::full : Fault::io, std::move(what), code};
}

/// As a file name in a URI (sqlite.org/uri.html): what has a meaning there is escaped.
std::string uri_path(const std::string& path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out;
}

int note_frames(void* frames, sqlite3* /*database*/, const char* /*name*/, int count) {
  *static_cast<int*>(frames) = count;
  return SQLITE_OK;
}

}  // namespace

SqliteFault sqlite_fault(const Error& error) {
  switch (error.code & 0xFF) {
    case SQLITE_OK:
      return SqliteFault::none;
    case SQLITE_FULL:
      return SqliteFault::full;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return SqliteFault::locked;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // a table or column is missing
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
      return SqliteFault::damaged;
    default:
      return SqliteFault::disk;
  }
}

Error damaged_error(std::string what) {
  return Error{Fault::protocol, std::move(what), SQLITE_CORRUPT};
}

bool is_sync_error(const Error& error) {
  return error.code == SQLITE_IOERR_FSYNC || error.code == SQLITE_IOERR_DIR_FSYNC || error.code == SQLITE_IOERR_CLOSE;
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(handle_.get(), index, value);
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view value) {
  const char* bytes = value.empty() ? "" : value.data();  // a null pointer would bind NULL
  sqlite3_bind_blob64(handle_.get(), index, bytes, value.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_text(int index, std::string_view value) {
  const char* bytes = value.empty() ? "" : value.data();
  sqlite3_bind_text64(handle_.get(), index, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_null(int index) {
  sqlite3_bind_null(handle_.get(), index);
  return *this;
}

Result<bool> Statement::step() {
  assert(handle_);
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  sqlite3* database = sqlite3_db_handle(handle_.get());
  Error error = error_of(database, sqlite3_extended_errcode(database));
  sqlite3_reset(handle_.get());
  return error;
}

Result<std::uint64_t> Statement::run() {
  const auto row = step();
  if (!row) return row.error();
  reset();
  return static_cast<std::uint64_t>(sqlite3_changes64(sqlite3_db_handle(handle_.get())));
}

void Statement::reset() {
  sqlite3_reset(handle_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

std::string_view Statement::bytes(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return bytes == nullptr ? std::string_view{} : std::string_view(bytes, static_cast<std::size_t>(size));
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Error Database::error(int code) const {
  return error_of(handle_.get(), code);
}

Result<Database> Database::open(const std::string& path, Mode mode, const std::string& vfs) {
  std::string name = path;
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const char* vfs_name = vfs.empty() ? nullptr : vfs.c_str();
  switch (mode) {
    case Mode::read_write:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
    case Mode::read_only:
      flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
      name = uri_path(path) + "?immutable=1";
      break;
    case Mode::read_only_with_wal:
      // Without locks and with the WAL's index in memory nothing is written: no -shm file, no lock, no recovery.
      flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
      name = uri_path(path) + "?mode=ro";
      if (vfs.empty()) vfs_name = "unix-none";
      break;
  }
  Database database;
  database.wal_frames_ = std::make_unique<int>(0);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags, vfs_name);
  database.handle_.reset(handle);
  if (code != SQLITE_OK) return database.error(code);
  // Replaces SQLite's own hook, which checkpoints by itself and does not report errors.
  sqlite3_wal_hook(handle, note_frames, database.wal_frames_.get());
  database.keep_wal_on_close(true);
  if (auto done = database.execute("PRAGMA locking_mode=EXCLUSIVE"); !done) return done.error();
  return database;
}

Result<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return {};
}

Result<Statement> Database::prepare(const char* sql) {
  Statement statement;
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return error(code);
  statement.handle_.reset(handle);
  return statement;
}

Result<std::int64_t> Database::query_number(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  const auto row = statement->step();
  if (!row) return row.error();
  return *row ? statement->integer(0) : 0;
}

Result<std::string> Database::query_text(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  const auto row = statement->step();
  if (!row) return row.error();
  return *row ? std::string(statement->bytes(0)) : std::string();
}

Result<void> Database::checkpoint() {
  int left = 0;
  int copied = 0;
  const int code = sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &left, &copied);
  if (code != SQLITE_OK) return error(code);
  *wal_frames_ = 0;
  return {};
}

Result<void> Database::sync() {
  sqlite3_file* file = nullptr;
  const int asked = sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (asked != SQLITE_OK) return error(asked);
  if (file->pMethods == nullptr) return error(SQLITE_MISUSE);
  const int code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK) return Error{Fault::io, sqlite3_errstr(code), code};
  return {};
}

int Database::wal_frames() const {
  return *wal_frames_;
}

void Database::keep_wal_on_close(bool keep) {
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0, nullptr);
}

}  // namespace baudbridge
