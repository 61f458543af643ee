#pragma once
// Owners of SQLite's handles. Private to this folder; sqlite.cpp is the only user of the library.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace baudbridge {

/// The kind of an error of SQLite; Error::code is its extended result code.
enum class SqliteFault { none, full, locked, damaged, disk };
[[nodiscard]] SqliteFault sqlite_fault(const Error& error);
/// Damage that SQLite did not detect, with the code that it uses.
[[nodiscard]] Error damaged_error(std::string what);
/// A sync failed: what it should have written may be in the page cache, where every reader sees it, and not on the disk;
/// a later sync that succeeds proves nothing.
[[nodiscard]] bool is_sync_error(const Error& error);

/// One prepared statement: bind, step until it returns false, reset (an unfinished read keeps the WAL from restarting).
/// It must not outlive its Database.
/// Threads: one caller.
class Statement {
 public:
  Statement() = default;
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::uint64_t value) { return bind(index, static_cast<std::int64_t>(value)); }
  Statement& bind_blob(int index, std::string_view value);  ///< the bytes must exist until the next reset()
  Statement& bind_text(int index, std::string_view value);  ///< likewise
  Statement& bind_null(int index);
  /// True: there is a row.
  Result<bool> step();
  /// Runs a statement without a result and resets it. Returns how many rows it changed.
  Result<std::uint64_t> run();
  void reset();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::uint64_t number(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  [[nodiscard]] std::string_view bytes(int column) const;  ///< valid until the next step() or reset()
  [[nodiscard]] bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// One connection to one file.
/// Threads: one caller at a time.
/// Errors:  see sqlite_fault().
class Database {
 public:
  enum class Mode {
    read_write,         ///< creates the file
    read_only,          ///< creates no other file; the file must not change meanwhile
    read_only_with_wal  ///< the same, with the content of the -wal file
  };
  static Result<Database> open(const std::string& path, Mode mode, const std::string& vfs = "");
  Database() = default;
  Database(Database&&) = default;
  Database& operator=(Database&&) = default;
  ~Database() = default;

  [[nodiscard]] explicit operator bool() const { return handle_ != nullptr; }
  Result<void> execute(const char* sql);
  Result<Statement> prepare(const char* sql);
  /// The first column of the first row of a query or pragma.
  Result<std::int64_t> query_number(const char* sql);
  Result<std::string> query_text(const char* sql);

  /// Copies the WAL into the database and syncs it; the next commit restarts the WAL.
  Result<void> checkpoint();
  /// Syncs the file itself: for one that was written with synchronous=OFF.
  Result<void> sync();
  /// Committed frames of the WAL that no checkpoint has copied, as of the last commit.
  [[nodiscard]] int wal_frames() const;
  /// Whether the WAL file stays when this connection closes. True at first: SQLite deletes one that it cannot read.
  void keep_wal_on_close(bool keep);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  [[nodiscard]] Error error(int code) const;
  std::unique_ptr<int> wal_frames_;  ///< written by SQLite's hook; outlives the handle
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace baudbridge
