#pragma once
// The store of the queue. Private to this folder.
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "offline_queue/sqlite.h"
#include "offline_queue/store_state.h"

namespace baudbridge {

/// SQLite's integers are signed.
inline constexpr Seq kMaxSeq = static_cast<Seq>(std::numeric_limits<std::int64_t>::max());

struct StoreOptions {
  std::string path;
  std::uint64_t max_bytes = 0;  ///< all files together; 0: no bound
  std::string vfs;              ///< of SQLite; empty: its default
};

/// A record as it is stored, not decoded.
struct StoredRecord {
  Seq seq = 0;
  std::string body;
  std::uint32_t crc = 0;
  std::string why;  ///< of dead letters only, like the next two
  bool retry = false;
  Milliseconds since{};
  [[nodiscard]] bool whole() const;
};

/// The records of one SQLite file, in order of their sequence numbers. Every change happens between begin() and commit(),
/// which returns when it is synced to disk. Opening locks the file for this process.
/// Threads: none of its own; one owner.
/// Errors:  see sqlite_fault(). After a failed begin() or commit() nothing of the transaction counts, and the store must
///          be reopened: only the file shows whether it was committed.
class Store {
 public:
  /// Opens, creates or migrates the file. Error kinds: closed: another process holds it; refused: a newer version wrote
  /// it; protocol: it is damaged or something else; full, io: the disk does not work now.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options);
  /// Creates a file with this state, synced and closed: to be put in its place by a rename.
  static Result<void> create(const StoreOptions& options, const StoreState& state);
  /// Changes nothing, and creates no other file.
  static Result<std::unique_ptr<Store>> open_read_only(const std::string& path);

  [[nodiscard]] const StoreState& state() const { return state_; }

  Result<void> begin();
  Result<void> commit(StoreState next);
  void rollback();

  // Inside a transaction. The counts in the state are the caller's.
  /// False: a record of that number is there already, and is left as it is.
  Result<bool> insert(Seq seq, std::string_view body, std::uint32_t crc);
  Result<bool> insert_dead_letter(const StoredRecord& record);
  /// How many there were.
  Result<std::uint64_t> erase(Seq first, Seq last);
  Result<std::uint64_t> erase_dead_letter(Seq seq);
  Result<void> save_boot(const BootRow& boot);
  /// Erases boots whose last record has a lower number, except one.
  Result<void> erase_boots(Seq before, const BootId& except);

  Result<bool> contains(Seq seq);
  Result<bool> contains_dead_letter(Seq seq);
  /// Records after < seq <= through, ascending, at most `rows`, and not much more than `bytes`.
  Result<std::vector<StoredRecord>> read(Seq after, Seq through, std::size_t rows, std::size_t bytes);
  Result<std::vector<StoredRecord>> read_dead_letters(Seq after, std::size_t rows);
  Result<std::vector<BootRow>> boots();
  Result<Seq> lowest_seq();  ///< of the queued ones; 0: none
  /// PRAGMA integrity_check: the first lines of what it finds; empty when the file is intact.
  Result<std::vector<std::string>> check_structure();
  /// PRAGMA quick_check: an error when the file is damaged. Reads the whole file.
  Result<void> quick_check();

  /// How much more fits below max_bytes.
  Result<std::uint64_t> free_bytes();
  /// A transaction that adds more than this makes the WAL larger than planned.
  [[nodiscard]] std::uint64_t transaction_bytes() const { return transaction_bytes_; }
  /// Copies the WAL into the file when it has grown enough.
  Result<void> checkpoint_if_due();
  Result<void> checkpoint();
  /// Syncs the file: create() may have been interrupted.
  Result<void> sync() { return database_.sync(); }
  /// The next opening finds the WAL as it is now.
  void keep_wal_on_close() { database_.keep_wal_on_close(true); }
  /// Gives a megabyte of free pages back to the file system when most of the file is free. True: there is more.
  Result<bool> shrink();
  [[nodiscard]] std::uint64_t file_bytes() const;

  static constexpr std::uint64_t kPageBytes = 4096;

 private:
  struct Pages {
    std::uint64_t all = 0;
    std::uint64_t free = 0;  ///< of them
  };
  struct Statements {
    Statement begin, commit, rollback, insert, insert_dead_letter, erase, erase_dead_letter, contains,
        contains_dead_letter, read, read_dead_letters, write_state, lowest, page_count, free_count;
  };
  Store() = default;
  static Result<void> write_new(const StoreOptions& options, const StoreState& state);
  Result<Pages> pages();
  Result<void> configure(const StoreOptions& options);
  Result<void> prepare_all();

  std::string path_;
  std::uint64_t max_pages_ = 0;
  std::uint64_t transaction_bytes_ = 0;
  int checkpoint_frames_ = 0;
  StoreState state_;
  bool lowest_erased_ = false;  ///< in this transaction
  Database database_;
  Statements statements_;  // destroyed before the database
};

}  // namespace baudbridge
