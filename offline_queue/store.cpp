#include "offline_queue/store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "offline_queue/record_codec.h"
#include "offline_queue/store_schema.h"

namespace baudbridge {
namespace {

constexpr std::uint64_t kUnboundedPages = 0xFFFFFFFEULL;  // the limit of SQLite
constexpr int kMaxCheckpointFrames = 128;
constexpr int kMinCheckpointFrames = 4;
constexpr std::uint64_t kFrameBytes = Store::kPageBytes + 24;

/// The kinds of Store::open; the library's own code stays in Error::code.
Error store_error(Error error) {
  if (error.kind == Fault::refused || error.kind == Fault::protocol) return error;
  switch (sqlite_fault(error)) {
    case SqliteFault::locked:
      error.kind = Fault::closed;
      error.what = "another process holds the queue (is the service running twice?)";
      break;
    case SqliteFault::damaged:
      error.kind = Fault::protocol;
      break;
    default:
      break;
  }
  return error;
}

std::uint64_t size_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

Result<void> without_count(const Result<std::uint64_t>& changed) {
  if (!changed) return changed.error();
  return {};
}

}  // namespace

bool StoredRecord::whole() const {
  return record_checksum(seq, body) == crc;
}

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  std::unique_ptr<Store> store(new Store);
  store->path_ = options.path;
  auto database = Database::open(options.path, Database::Mode::read_write, options.vfs);
  if (!database) return store_error(database.error());
  store->database_ = std::move(*database);
  // Before anything is changed: a newer version's file must stay as it is.
  if (auto version = check_version(store->database_, schema_steps()); !version) return store_error(version.error());
  if (auto done = store->configure(options); !done) return store_error(done.error());
  if (auto done = migrate(store->database_, schema_steps()); !done) return store_error(done.error());
  auto state = read_state(store->database_);
  if (!state) return store_error(state.error());
  store->state_ = std::move(*state);
  if (auto done = store->prepare_all(); !done) return store_error(done.error());
  store->database_.keep_wal_on_close(false);  // it is intact: a clean stop leaves one file
  return store;
}

Result<void> Store::create(const StoreOptions& options, const StoreState& state) {
  const auto remove = [&] {
    for (const char* suffix : {"", "-wal", "-journal"}) ::unlink((options.path + suffix).c_str());
  };
  remove();
  auto made = write_new(options, state);
  if (!made) remove();  // it may look complete without being on the disk
  return made;
}

Result<void> Store::write_new(const StoreOptions& options, const StoreState& state) {
  auto database = Database::open(options.path, Database::Mode::read_write, options.vfs);
  if (!database) return store_error(database.error());
  database->keep_wal_on_close(false);
  // It is not used before it is renamed into its place: one sync at the end is enough.
  constexpr const char* kSettings =
      "PRAGMA synchronous=OFF;PRAGMA page_size=4096;PRAGMA journal_mode=MEMORY;PRAGMA auto_vacuum=INCREMENTAL";
  if (auto done = database->execute(kSettings); !done) return done;
  if (auto done = migrate(*database, schema_steps()); !done) return done;
  {
    auto statement = database->prepare(kWriteState);
    if (!statement) return statement.error();
    if (auto done = write_state(*statement, state); !done) return done;
  }
  if (auto done = database->execute("PRAGMA journal_mode=WAL"); !done) return done;
  return database->sync();
}

Result<std::unique_ptr<Store>> Store::open_read_only(const std::string& path) {
  std::unique_ptr<Store> store(new Store);
  store->path_ = path;
  const auto mode = size_of(path + "-wal") > 0 ? Database::Mode::read_only_with_wal : Database::Mode::read_only;
  auto database = Database::open(path, mode);
  if (!database) return store_error(database.error());
  store->database_ = std::move(*database);
  const auto version = check_version(store->database_, schema_steps());
  if (!version) return store_error(version.error());
  if (*version == 0) return Error{Fault::protocol, "is empty: not a queue of baudbridge"};
  if (*version < schema_steps().back().to_version) {
    return Error{Fault::refused, "was written by an older version: start the service once, which migrates it"};
  }
  auto state = read_state(store->database_);
  if (!state) return store_error(state.error());
  store->state_ = std::move(*state);
  if (auto done = store->prepare_all(); !done) return store_error(done.error());
  return store;
}

Result<void> Store::configure(const StoreOptions& options) {
  const std::uint64_t pages = options.max_bytes == 0 ? kUnboundedPages : options.max_bytes / kPageBytes;
  checkpoint_frames_ =
      static_cast<int>(std::clamp<std::uint64_t>(pages / 16, kMinCheckpointFrames, kMaxCheckpointFrames));
  transaction_bytes_ = static_cast<std::uint64_t>(checkpoint_frames_) * kPageBytes / 2;
  // The WAL: what waits for a checkpoint, one transaction more, and the pages that every transaction touches.
  const std::uint64_t wal_bytes = (2 * static_cast<std::uint64_t>(checkpoint_frames_) + 12) * kFrameBytes;
  max_pages_ = options.max_bytes == 0 ? kUnboundedPages
                                      : (options.max_bytes - std::min(options.max_bytes, wal_bytes)) / kPageBytes;
  constexpr std::int64_t kIncremental = 2;
  const auto vacuum = database_.query_number("PRAGMA auto_vacuum");
  if (!vacuum) return vacuum.error();
  if (*vacuum != kIncremental) {  // to set it is a transaction, even if nothing changes by it
    if (auto done = database_.execute("PRAGMA page_size=4096;PRAGMA auto_vacuum=INCREMENTAL"); !done) return done;
  }
  const std::string settings =
      "PRAGMA secure_delete=OFF;PRAGMA mmap_size=0;"
      "PRAGMA temp_store=MEMORY;PRAGMA cache_size=-1024;PRAGMA cell_size_check=ON;PRAGMA journal_mode=WAL;PRAGMA "
      "synchronous=FULL;PRAGMA journal_size_limit=" +
      std::to_string(wal_bytes) + ";PRAGMA max_page_count=" + std::to_string(max_pages_);
  return database_.execute(settings.c_str());
}

Result<void> Store::prepare_all() {
  const std::pair<Statement*, const char*> all[] = {
      {&statements_.begin, "BEGIN IMMEDIATE"},
      {&statements_.commit, "COMMIT"},
      {&statements_.rollback, "ROLLBACK"},
      {&statements_.insert, "INSERT OR IGNORE INTO queue(seq,crc,body) VALUES(?,?,?)"},
      {&statements_.insert_dead_letter,
       "INSERT OR IGNORE INTO set_aside(seq,crc,body,why,retry,since) VALUES(?,?,?,?,?,?)"},  // NOLINT(words)
      {&statements_.erase, "DELETE FROM queue WHERE seq BETWEEN ? AND ?"},
      {&statements_.erase_dead_letter, "DELETE FROM set_aside WHERE seq=?"},  // NOLINT(words)
      {&statements_.contains, "SELECT 1 FROM queue WHERE seq=?"},
      {&statements_.contains_dead_letter, "SELECT 1 FROM set_aside WHERE seq=?"},  // NOLINT(words)
      {&statements_.read, "SELECT seq,crc,body FROM queue WHERE seq>? AND seq<=? ORDER BY seq LIMIT ?"},
      {&statements_.read_dead_letters,
       "SELECT seq,crc,body,why,retry,since FROM set_aside WHERE seq>? ORDER BY seq LIMIT ?"},  // NOLINT(words)
      {&statements_.write_state, kWriteState},
      {&statements_.lowest, "SELECT min(seq) FROM queue"},
      {&statements_.page_count, "PRAGMA page_count"},
      {&statements_.free_count, "PRAGMA freelist_count"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database_.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return {};
}

Result<void> Store::begin() {
  lowest_erased_ = state_.lowest_seq == 0;
  return without_count(statements_.begin.run());
}

Result<void> Store::commit(StoreState next) {
  next.change = state_.change + 1;
  const auto lowest = lowest_seq();
  if (!lowest) return lowest.error();
  // Salvage ignores lower numbers.
  if (!lowest_erased_ && (*lowest == 0 || *lowest > state_.lowest_seq))
    return damaged_error("its first record is missing");
  next.lowest_seq = *lowest;
  if (auto written = write_state(statements_.write_state, next); !written) return written;
  if (auto done = statements_.commit.run(); !done) return done.error();
  state_ = std::move(next);
  return {};
}

void Store::rollback() {
  static_cast<void>(statements_.rollback.run());
}

Result<bool> Store::insert(Seq seq, std::string_view body, std::uint32_t crc) {
  const auto done = statements_.insert.bind(1, seq).bind(2, std::uint64_t{crc}).bind_blob(3, body).run();
  if (!done) return done.error();
  return *done == 1;
}

Result<bool> Store::insert_dead_letter(const StoredRecord& record) {
  statements_.insert_dead_letter.bind(1, record.seq).bind(2, std::uint64_t{record.crc}).bind_blob(3, record.body);
  statements_.insert_dead_letter.bind_text(4, record.why)
      .bind(5, std::int64_t{record.retry})
      .bind(6, std::int64_t{record.since.count()});
  const auto done = statements_.insert_dead_letter.run();
  if (!done) return done.error();
  return *done == 1;
}

Result<std::uint64_t> Store::erase(Seq first, Seq last) {
  if (first <= state_.lowest_seq && state_.lowest_seq <= last) lowest_erased_ = true;
  return statements_.erase.bind(1, first).bind(2, last).run();
}

Result<std::uint64_t> Store::erase_dead_letter(Seq seq) {
  return statements_.erase_dead_letter.bind(1, seq).run();
}

Result<void> Store::save_boot(const BootRow& boot) {
  auto statement = database_.prepare(
      "INSERT OR REPLACE INTO boots(boot,age_start,anchor_boot_clock,anchor_utc,last_seq) VALUES(?,?,?,?,?)");
  if (!statement) return statement.error();
  const std::string id(boot.boot.begin(), boot.boot.end());
  statement->bind_blob(1, id).bind(2, std::int64_t{boot.age_start.count()});
  if (boot.anchor) {
    statement->bind(3, std::int64_t{boot.anchor->boot_clock.count()}).bind(4, std::int64_t{boot.anchor->utc.count()});
  } else {
    statement->bind_null(3).bind_null(4);
  }
  return without_count(statement->bind(5, boot.last_seq).run());
}

Result<void> Store::erase_boots(Seq before, const BootId& except) {
  auto statement = database_.prepare("DELETE FROM boots WHERE last_seq<? AND boot<>?");
  if (!statement) return statement.error();
  const std::string id(except.begin(), except.end());
  return without_count(statement->bind(1, before).bind_blob(2, id).run());
}

Result<bool> Store::contains(Seq seq) {
  auto row = statements_.contains.bind(1, seq).step();
  statements_.contains.reset();
  return row;
}

Result<bool> Store::contains_dead_letter(Seq seq) {
  auto row = statements_.contains_dead_letter.bind(1, seq).step();
  statements_.contains_dead_letter.reset();
  return row;
}

Result<std::vector<StoredRecord>> Store::read(Seq after, Seq through, std::size_t rows, std::size_t bytes) {
  std::vector<StoredRecord> records;
  statements_.read.bind(1, after).bind(2, through).bind(3, std::uint64_t{rows});
  std::size_t taken = 0;
  while (taken < bytes) {
    const auto row = statements_.read.step();
    if (!row) return row.error();
    if (!*row) break;
    StoredRecord record;
    record.seq = statements_.read.number(0);
    record.crc = static_cast<std::uint32_t>(statements_.read.integer(1));
    record.body = std::string(statements_.read.bytes(2));
    if (record.seq <= after) {
      statements_.read.reset();
      return damaged_error("its records are out of order");
    }
    after = record.seq;
    taken += record.body.size();
    records.push_back(std::move(record));
  }
  statements_.read.reset();
  return records;
}

Result<std::vector<StoredRecord>> Store::read_dead_letters(Seq after, std::size_t rows) {
  std::vector<StoredRecord> records;
  statements_.read_dead_letters.bind(1, after).bind(2, std::uint64_t{rows});
  for (;;) {
    const auto row = statements_.read_dead_letters.step();
    if (!row) return row.error();
    if (!*row) break;
    StoredRecord record;
    record.seq = statements_.read_dead_letters.number(0);
    record.crc = static_cast<std::uint32_t>(statements_.read_dead_letters.integer(1));
    record.body = std::string(statements_.read_dead_letters.bytes(2));
    record.why = std::string(statements_.read_dead_letters.bytes(3));
    record.retry = statements_.read_dead_letters.integer(4) != 0;
    record.since = Milliseconds(statements_.read_dead_letters.integer(5));
    records.push_back(std::move(record));
  }
  statements_.read_dead_letters.reset();
  return records;
}

Result<std::vector<BootRow>> Store::boots() {
  auto statement = database_.prepare("SELECT boot,age_start,anchor_boot_clock,anchor_utc,last_seq FROM boots");
  if (!statement) return statement.error();
  std::vector<BootRow> boots;
  for (;;) {
    const auto row = statement->step();
    if (!row) return row.error();
    if (!*row) return boots;
    BootRow boot;
    const std::string_view id = statement->bytes(0);
    if (id.size() != boot.boot.size()) continue;
    std::copy(id.begin(), id.end(), boot.boot.begin());
    boot.age_start = Milliseconds(statement->integer(1));
    if (!statement->is_null(2) && !statement->is_null(3)) {
      boot.anchor = Anchor{boot.boot, Milliseconds(statement->integer(2)), Milliseconds(statement->integer(3))};
    }
    boot.last_seq = statement->number(4);
    boots.push_back(boot);
  }
}

Result<Seq> Store::lowest_seq() {
  const auto row = statements_.lowest.step();
  if (!row) return row.error();
  const Seq lowest = *row ? statements_.lowest.number(0) : 0;
  statements_.lowest.reset();
  return lowest;
}

Result<std::vector<std::string>> Store::check_structure() {
  auto statement = database_.prepare("PRAGMA integrity_check(20)");
  if (!statement) return statement.error();
  std::vector<std::string> found;
  for (;;) {
    const auto row = statement->step();
    if (!row) return row.error();
    if (!*row) break;
    found.emplace_back(statement->bytes(0));
  }
  if (found.size() == 1 && found.front() == "ok") found.clear();
  return found;
}

Result<void> Store::quick_check() {
  auto statement = database_.prepare("PRAGMA quick_check(1)");
  if (!statement) return statement.error();
  const auto row = statement->step();
  if (!row) return row.error();
  const std::string found = *row ? std::string(statement->bytes(0)) : "no answer";
  if (found == "ok") return {};
  return damaged_error(found);
}

Result<Store::Pages> Store::pages() {
  std::uint64_t counts[2] = {};
  Statement* const statements[2] = {&statements_.page_count, &statements_.free_count};
  for (int i = 0; i < 2; ++i) {
    const auto row = statements[i]->step();
    if (!row) return row.error();
    counts[i] = statements[i]->number(0);
    statements[i]->reset();
  }
  return Pages{counts[0], counts[1]};
}

Result<std::uint64_t> Store::free_bytes() {
  const auto now = pages();
  if (!now) return now.error();
  // A file that is larger than a bound that was lowered does not grow, but what is free in it is used.
  return (max_pages_ - std::min(max_pages_, now->all) + now->free) * kPageBytes;
}

Result<void> Store::checkpoint_if_due() {
  if (database_.wal_frames() < checkpoint_frames_) return {};
  return checkpoint();
}

Result<void> Store::checkpoint() {
  return database_.checkpoint();
}

Result<bool> Store::shrink() {
  constexpr std::uint64_t kMinFreePages = 256;
  constexpr std::uint64_t kMinFileToUsed = 16;
  const auto now = pages();
  if (!now) return now.error();
  // Only when most of the file is free: otherwise used pages at its end would be moved again and again.
  if (now->free < kMinFreePages || (now->all - now->free) * kMinFileToUsed > now->all) return false;
  if (auto done = database_.execute("PRAGMA incremental_vacuum(256)"); !done) return done.error();
  if (auto copied = checkpoint_if_due(); !copied) return copied.error();
  return true;
}

std::uint64_t Store::file_bytes() const {
  return size_of(path_) + size_of(path_ + "-wal");
}

}  // namespace baudbridge
