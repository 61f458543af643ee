#pragma once
// The store: one SQLite file of records, with the counters that belong to them. Private to this folder.
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "offline_queue/spool_state.h"
#include "offline_queue/sqlite.h"

namespace baudbridge {

/// SQLite's integers are signed.
inline constexpr Seq kMostSeq = static_cast<Seq>(std::numeric_limits<std::int64_t>::max());

struct SpoolOptions {
  std::string path;
  std::uint64_t max_bytes = 0;  ///< all files together; 0: no bound
  std::string vfs;              ///< tests: a file system that fails
  bool full_sync = true;        ///< tests of the tests: false is synchronous=NORMAL, which loses commits on a power cut
};

/// A record as it lies in a table, not looked into.
struct StoredRecord {
  Seq seq = 0;
  std::string body;
  std::uint32_t crc = 0;
  std::string why;  ///< only those set aside have these three
  bool retry = false;
  Milliseconds since{};
  [[nodiscard]] bool whole() const;
};

/// Records of one file, in order of their numbers. Every change happens inside begin() ... commit(), which returns when
/// it is synced to disk. Opening takes the file for this process alone. Threads: none of its own; one owner. Errors:
/// see trouble_of(); after a failed begin() or commit() nothing of the transaction counts, and the spool is to be
/// closed
///          and opened again, because only reading the file tells what became of it.
class Spool {
 public:
  /// Opens, makes or migrates the file. Error kinds: closed: another process holds it; refused: a newer version wrote
  /// it; protocol: it is damaged or something else; full, io: the disk does not work now.
  static Result<std::unique_ptr<Spool>> open(const SpoolOptions& options);
  /// Makes a file that does not exist yet, with this state, synced and closed: to be put in its place by a rename.
  static Result<void> make(const SpoolOptions& options, const SpoolState& state);
  /// To look only: changes nothing, makes no file beside it.
  static Result<std::unique_ptr<Spool>> look(const std::string& path);

  [[nodiscard]] const SpoolState& state() const { return state_; }

  Result<void> begin();
  Result<void> commit(SpoolState next);
  void rollback();

  // Inside a transaction. The counts in the state are the caller's.
  /// False: a record of that number is there already, and is left as it is.
  Result<bool> insert(Seq seq, std::string_view body, std::uint32_t crc);
  Result<bool> insert_aside(const StoredRecord& record);
  /// How many there were.
  Result<std::uint64_t> erase(Seq first, Seq last);
  Result<std::uint64_t> erase_dead_letter(Seq seq);
  Result<void> save_boot(const BootRow& boot);
  /// Forgets boots whose last record has a lower number.
  Result<void> forget_boots(Seq before, const BootId& but_not);

  Result<bool> contains(Seq seq);
  Result<bool> contains_aside(Seq seq);
  /// Records after < seq <= through, ascending, at most `rows`, and not much more than `bytes`.
  Result<std::vector<StoredRecord>> read(Seq after, Seq through, std::size_t rows, std::size_t bytes);
  Result<std::vector<StoredRecord>> read_aside(Seq after, std::size_t rows);
  Result<std::vector<BootRow>> boots();
  Result<Seq> highest_seq();
  Result<Seq> lowest_seq();  ///< of the queued ones; 0: none
  /// SQLite's own look at the structure; the first lines of what it finds, none if all is well.
  Result<std::vector<std::string>> check_structure();
  /// A quicker look, up to the first thing that is wrong, which it answers as an error. Reads the whole file.
  Result<void> check_whole();

  /// So much more fits below max_bytes.
  Result<std::uint64_t> free_bytes();
  /// A transaction that adds more than this makes the WAL larger than planned.
  [[nodiscard]] std::uint64_t transaction_bytes() const { return transaction_bytes_; }
  /// Copies the WAL into the file when it has grown enough.
  Result<void> checkpoint_if_due();
  Result<void> checkpoint();
  /// Syncs the file: one that make() may have been killed over.
  Result<void> sync() { return database_.sync(); }
  /// The next opening finds the WAL as it is now.
  void keep_wal_on_close() { database_.keep_wal_on_close(true); }
  /// Gives a megabyte of free pages back to the file system when most of the file is free. True: there is more.
  Result<bool> shrink();
  [[nodiscard]] std::uint64_t file_bytes() const;

  /// The most that a database page takes in the WAL.
  static constexpr std::uint64_t kPageBytes = 4096;

 private:
  struct Pages {
    std::uint64_t all = 0;
    std::uint64_t free = 0;  ///< of them
  };
  Spool() = default;
  static Result<void> write_new(const SpoolOptions& options, const SpoolState& state);
  Result<Pages> pages();
  Result<void> configure(const SpoolOptions& options);
  Result<void> prepare_all();

  std::string path_;
  std::uint64_t max_pages_ = 0;
  std::uint64_t transaction_bytes_ = 0;
  int checkpoint_frames_ = 0;
  SpoolState state_;
  bool lowest_erased_ = false;  ///< in this transaction
  // The statements go before the database does.
  Database database_;
  Statement begin_, commit_, rollback_, insert_, insert_aside_, erase_, erase_aside_, contains_, contains_aside_, read_,
      read_aside_, write_state_, lowest_, page_count_, free_count_;
};

}  // namespace baudbridge
