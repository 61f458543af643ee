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

/// What an error of SQLite means to us; Error::code keeps the library's extended result code.
enum class Trouble { none, full, locked, damaged, disk };
[[nodiscard]] Trouble trouble_of(const Error& error);
/// What we noticed ourselves, as SQLite would tell it.
[[nodiscard]] Error damage(std::string what);
/// A sync failed: what it should have synced may be in the page cache, where every reader sees it, and not on the disk,
/// and a later sync that succeeds says nothing about it.
[[nodiscard]] bool is_sync_error(const Error& error);

/// One prepared statement. Bind, step until it says false, reset (an unfinished read keeps the WAL from starting over).
/// Threads: one caller. Must not outlive its Database.
class Statement {
 public:
  Statement() = default;
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::uint64_t value) { return bind(index, static_cast<std::int64_t>(value)); }
  Statement& bind_blob(int index, std::string_view value);  ///< the bytes must stay until the next reset()
  Statement& bind_text(int index, std::string_view value);  ///< likewise
  Statement& bind_null(int index);
  /// True: there is a row.
  Result<bool> step();
  /// Runs a statement that gives no rows, and resets it. How many rows it changed.
  Result<std::uint64_t> run();
  void reset();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::uint64_t number(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  [[nodiscard]] std::string_view bytes(int column) const;  ///< holds until the next step() or reset()
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
/// Errors:  see trouble_of().
class Database {
 public:
  enum class Mode {
    change,      ///< reads and writes; makes the file
    look,        ///< reads only, and makes no file beside it; the file must not change meanwhile
    look_at_wal  ///< the same, when there is a -wal file that counts
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
  Result<std::int64_t> ask_number(const char* sql);
  Result<std::string> ask_text(const char* sql);

  /// Copies the WAL into the database and syncs it; the WAL then starts over.
  Result<void> checkpoint();
  /// Syncs the file itself: for one that was written with synchronous=OFF.
  Result<void> sync();
  /// The WAL's committed frames that no checkpoint has copied yet, as told after the last commit.
  [[nodiscard]] int wal_frames() const;
  /// Whether the WAL file is left as it is when this connection closes. True from the start: SQLite would delete one
  /// that it cannot read.
  void keep_wal_on_close(bool keep);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  [[nodiscard]] Error error(int code) const;
  std::unique_ptr<int> wal_frames_;  ///< written by the library's hook; outlives the handle
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace baudbridge
