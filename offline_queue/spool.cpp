#include "offline_queue/spool.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "offline_queue/record_codec.h"
#include "offline_queue/spool_schema.h"

namespace baudbridge {
namespace {

constexpr std::uint64_t kUnboundedPages = 0xFFFFFFFEULL;  // SQLite's own bound
constexpr int kMostCheckpointFrames = 128;
constexpr int kFewestCheckpointFrames = 4;
constexpr std::uint64_t kFrameBytes = Spool::kPageBytes + 24;

/// The kinds of Spool::open; the library's own code stays in Error::code.
Error with_kind(Error error) {
  if (error.kind == Fault::refused || error.kind == Fault::protocol) return error;
  switch (trouble_of(error)) {
    case Trouble::locked:
      error.kind = Fault::closed;
      error.what = "another process holds the queue (is the service running twice?)";
      break;
    case Trouble::damaged:
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

Result<void> none(const Result<std::uint64_t>& changed) {
  if (!changed) return changed.error();
  return {};
}

}  // namespace

bool StoredRecord::whole() const {
  return record_checksum(seq, body) == crc;
}

Result<std::unique_ptr<Spool>> Spool::open(const SpoolOptions& options) {
  std::unique_ptr<Spool> spool(new Spool);
  spool->path_ = options.path;
  auto database = Database::open(options.path, Database::Mode::change, options.vfs);
  if (!database) return with_kind(database.error());
  spool->database_ = std::move(*database);
  // Before anything is set: a newer version's file is left as it is.
  if (auto version = check_version(spool->database_, schema_steps()); !version) return with_kind(version.error());
  if (auto done = spool->configure(options); !done) return with_kind(done.error());
  if (auto done = bring_up_to_date(spool->database_, schema_steps()); !done) return with_kind(done.error());
  auto state = read_state(spool->database_);
  if (!state) return with_kind(state.error());
  spool->state_ = std::move(*state);
  if (auto done = spool->prepare_all(); !done) return with_kind(done.error());
  spool->database_.keep_wal_on_close(false);  // it is ours and whole: a clean stop leaves one file
  return spool;
}

Result<void> Spool::make(const SpoolOptions& options, const SpoolState& state) {
  const auto remove = [&] {
    for (const char* suffix : {"", "-wal", "-journal"}) ::unlink((options.path + suffix).c_str());
  };
  remove();
  auto made = write_new(options, state);
  if (!made) remove();  // it may look whole without being on the disk
  return made;
}

Result<void> Spool::write_new(const SpoolOptions& options, const SpoolState& state) {
  auto database = Database::open(options.path, Database::Mode::change, options.vfs);
  if (!database) return with_kind(database.error());
  database->keep_wal_on_close(false);
  // Nothing of it counts before it is renamed into its place: it is synced once, as a whole.
  constexpr const char* kDraft =
      "PRAGMA synchronous=OFF;PRAGMA page_size=4096;PRAGMA journal_mode=MEMORY;PRAGMA auto_vacuum=INCREMENTAL";
  if (auto done = database->execute(kDraft); !done) return done;
  if (auto done = bring_up_to_date(*database, schema_steps()); !done) return done;
  {
    auto statement = database->prepare(kWriteState);
    if (!statement) return statement.error();
    if (auto done = write_state(*statement, state); !done) return done;
  }
  if (auto done = database->execute("PRAGMA journal_mode=WAL"); !done) return done;
  return database->sync();
}

Result<std::unique_ptr<Spool>> Spool::look(const std::string& path) {
  std::unique_ptr<Spool> spool(new Spool);
  spool->path_ = path;
  const auto mode = size_of(path + "-wal") > 0 ? Database::Mode::look_at_wal : Database::Mode::look;
  auto database = Database::open(path, mode);
  if (!database) return with_kind(database.error());
  spool->database_ = std::move(*database);
  const auto version = check_version(spool->database_, schema_steps());
  if (!version) return with_kind(version.error());
  if (*version == 0) return Error{Fault::protocol, "is empty: not a queue of baudbridge"};
  if (*version < schema_steps().back().to_version) {
    return Error{Fault::refused, "was written by an older version: the service brings it up to date when it starts"};
  }
  auto state = read_state(spool->database_);
  if (!state) return with_kind(state.error());
  spool->state_ = std::move(*state);
  if (auto done = spool->prepare_all(); !done) return with_kind(done.error());
  return spool;
}

Result<void> Spool::configure(const SpoolOptions& options) {
  const std::uint64_t pages = options.max_bytes == 0 ? kUnboundedPages : options.max_bytes / kPageBytes;
  checkpoint_frames_ =
      static_cast<int>(std::clamp<std::uint64_t>(pages / 16, kFewestCheckpointFrames, kMostCheckpointFrames));
  transaction_bytes_ = static_cast<std::uint64_t>(checkpoint_frames_) * kPageBytes / 2;
  // The WAL: what waits for a checkpoint, one transaction more, and the pages that every transaction touches.
  const std::uint64_t wal_bytes = (2 * static_cast<std::uint64_t>(checkpoint_frames_) + 12) * kFrameBytes;
  max_pages_ = options.max_bytes == 0 ? kUnboundedPages
                                      : (options.max_bytes - std::min(options.max_bytes, wal_bytes)) / kPageBytes;
  constexpr std::int64_t kIncremental = 2;
  const auto vacuum = database_.ask_number("PRAGMA auto_vacuum");
  if (!vacuum) return vacuum.error();
  if (*vacuum != kIncremental) {  // to set it is a transaction, even if nothing changes by it
    if (auto done = database_.execute("PRAGMA page_size=4096;PRAGMA auto_vacuum=INCREMENTAL"); !done) return done;
  }
  const std::string settings =
      "PRAGMA secure_delete=OFF;PRAGMA mmap_size=0;"
      "PRAGMA temp_store=MEMORY;PRAGMA cache_size=-1024;PRAGMA cell_size_check=ON;PRAGMA journal_mode=WAL;PRAGMA "
      "synchronous=" +
      std::string(options.full_sync ? "FULL" : "NORMAL") + ";PRAGMA journal_size_limit=" + std::to_string(wal_bytes) +
      ";PRAGMA max_page_count=" + std::to_string(max_pages_);
  return database_.execute(settings.c_str());
}

Result<void> Spool::prepare_all() {
  const std::pair<Statement*, const char*> all[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&rollback_, "ROLLBACK"},
      {&insert_, "INSERT OR IGNORE INTO queue(seq,crc,body) VALUES(?,?,?)"},
      {&insert_aside_, "INSERT OR IGNORE INTO set_aside(seq,crc,body,why,retry,since) VALUES(?,?,?,?,?,?)"},
      {&erase_, "DELETE FROM queue WHERE seq BETWEEN ? AND ?"},
      {&erase_aside_, "DELETE FROM set_aside WHERE seq=?"},
      {&contains_, "SELECT 1 FROM queue WHERE seq=?"},
      {&contains_aside_, "SELECT 1 FROM set_aside WHERE seq=?"},
      {&read_, "SELECT seq,crc,body FROM queue WHERE seq>? AND seq<=? ORDER BY seq LIMIT ?"},
      {&read_aside_, "SELECT seq,crc,body,why,retry,since FROM set_aside WHERE seq>? ORDER BY seq LIMIT ?"},
      {&write_state_, kWriteState},
      {&lowest_, "SELECT min(seq) FROM queue"},
      {&page_count_, "PRAGMA page_count"},
      {&free_count_, "PRAGMA freelist_count"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database_.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return {};
}

Result<void> Spool::begin() {
  lowest_erased_ = state_.lowest_seq == 0;
  return none(begin_.run());
}

Result<void> Spool::commit(SpoolState next) {
  next.change = state_.change + 1;
  const auto lowest = lowest_seq();
  if (!lowest) return lowest.error();
  // What lies before it would not be salvaged from a damaged file.
  if (!lowest_erased_ && (*lowest == 0 || *lowest > state_.lowest_seq)) return damage("its first record is not found");
  next.lowest_seq = *lowest;
  if (auto written = write_state(write_state_, next); !written) return written;
  if (auto done = commit_.run(); !done) return done.error();
  state_ = std::move(next);
  return {};
}

void Spool::rollback() {
  static_cast<void>(rollback_.run());
}

Result<bool> Spool::insert(Seq seq, std::string_view body, std::uint32_t crc) {
  const auto done = insert_.bind(1, seq).bind(2, std::uint64_t{crc}).bind_blob(3, body).run();
  if (!done) return done.error();
  return *done == 1;
}

Result<bool> Spool::insert_aside(const StoredRecord& record) {
  insert_aside_.bind(1, record.seq).bind(2, std::uint64_t{record.crc}).bind_blob(3, record.body);
  insert_aside_.bind_text(4, record.why)
      .bind(5, std::int64_t{record.retry})
      .bind(6, std::int64_t{record.since.count()});
  const auto done = insert_aside_.run();
  if (!done) return done.error();
  return *done == 1;
}

Result<std::uint64_t> Spool::erase(Seq first, Seq last) {
  if (first <= state_.lowest_seq && state_.lowest_seq <= last) lowest_erased_ = true;
  return erase_.bind(1, first).bind(2, last).run();
}

Result<std::uint64_t> Spool::erase_dead_letter(Seq seq) {
  return erase_aside_.bind(1, seq).run();
}

Result<void> Spool::save_boot(const BootRow& boot) {
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
  return none(statement->bind(5, boot.last_seq).run());
}

Result<void> Spool::forget_boots(Seq before, const BootId& but_not) {
  auto statement = database_.prepare("DELETE FROM boots WHERE last_seq<? AND boot<>?");
  if (!statement) return statement.error();
  const std::string id(but_not.begin(), but_not.end());
  return none(statement->bind(1, before).bind_blob(2, id).run());
}

Result<bool> Spool::contains(Seq seq) {
  auto row = contains_.bind(1, seq).step();
  contains_.reset();
  return row;
}

Result<bool> Spool::contains_aside(Seq seq) {
  auto row = contains_aside_.bind(1, seq).step();
  contains_aside_.reset();
  return row;
}

Result<std::vector<StoredRecord>> Spool::read(Seq after, Seq through, std::size_t rows, std::size_t bytes) {
  std::vector<StoredRecord> records;
  read_.bind(1, after).bind(2, through).bind(3, std::uint64_t{rows});
  std::size_t taken = 0;
  while (taken < bytes) {
    const auto row = read_.step();
    if (!row) return row.error();
    if (!*row) break;
    StoredRecord record;
    record.seq = read_.number(0);
    record.crc = static_cast<std::uint32_t>(read_.integer(1));
    record.body = std::string(read_.bytes(2));
    if (record.seq <= after) {
      read_.reset();
      return damage("its records are out of order");
    }
    after = record.seq;
    taken += record.body.size();
    records.push_back(std::move(record));
  }
  read_.reset();
  return records;
}

Result<std::vector<StoredRecord>> Spool::read_aside(Seq after, std::size_t rows) {
  std::vector<StoredRecord> records;
  read_aside_.bind(1, after).bind(2, std::uint64_t{rows});
  for (;;) {
    const auto row = read_aside_.step();
    if (!row) return row.error();
    if (!*row) break;
    StoredRecord record;
    record.seq = read_aside_.number(0);
    record.crc = static_cast<std::uint32_t>(read_aside_.integer(1));
    record.body = std::string(read_aside_.bytes(2));
    record.why = std::string(read_aside_.bytes(3));
    record.retry = read_aside_.integer(4) != 0;
    record.since = Milliseconds(read_aside_.integer(5));
    records.push_back(std::move(record));
  }
  read_aside_.reset();
  return records;
}

Result<std::vector<BootRow>> Spool::boots() {
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

Result<Seq> Spool::lowest_seq() {
  const auto row = lowest_.step();
  if (!row) return row.error();
  const Seq lowest = *row ? lowest_.number(0) : 0;
  lowest_.reset();
  return lowest;
}

Result<Seq> Spool::highest_seq() {
  const auto highest = database_.ask_number(
      "SELECT max(coalesce((SELECT max(seq) FROM queue),0),coalesce((SELECT max(seq) FROM set_aside),0))");
  if (!highest) return highest.error();
  return static_cast<Seq>(*highest);
}

Result<std::vector<std::string>> Spool::check_structure() {
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

Result<void> Spool::check_whole() {
  auto statement = database_.prepare("PRAGMA quick_check(1)");
  if (!statement) return statement.error();
  const auto row = statement->step();
  if (!row) return row.error();
  const std::string found = *row ? std::string(statement->bytes(0)) : "no answer";
  if (found == "ok") return {};
  return damage(found);
}

Result<Spool::Pages> Spool::pages() {
  std::uint64_t counts[2] = {};
  Statement* const statements[2] = {&page_count_, &free_count_};
  for (int i = 0; i < 2; ++i) {
    const auto row = statements[i]->step();
    if (!row) return row.error();
    counts[i] = statements[i]->number(0);
    statements[i]->reset();
  }
  return Pages{counts[0], counts[1]};
}

Result<std::uint64_t> Spool::free_bytes() {
  const auto now = pages();
  if (!now) return now.error();
  // A file that is larger than a bound that was lowered does not grow, but what is free in it is used.
  return (max_pages_ - std::min(max_pages_, now->all) + now->free) * kPageBytes;
}

Result<void> Spool::checkpoint_if_due() {
  if (database_.wal_frames() < checkpoint_frames_) return {};
  return checkpoint();
}

Result<void> Spool::checkpoint() {
  return database_.checkpoint();
}

Result<bool> Spool::shrink() {
  constexpr std::uint64_t kWorthIt = 256;  // pages
  constexpr std::uint64_t kFullestTimes = 16;
  const auto now = pages();
  if (!now) return now.error();
  // Not before most of the queue has gone: pages at the end of the file that are still used would be moved, again and
  // again.
  if (now->free < kWorthIt || (now->all - now->free) * kFullestTimes > now->all) return false;
  if (auto done = database_.execute("PRAGMA incremental_vacuum(256)"); !done) return done.error();
  if (auto copied = checkpoint_if_due(); !copied) return copied.error();
  return true;
}

std::uint64_t Spool::file_bytes() const {
  return size_of(path_) + size_of(path_ + "-wal");
}

}  // namespace baudbridge
