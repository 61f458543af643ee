#include "bench/bare_sqlite.h"

#include <sqlite3.h>

#include <atomic>
#include <new>
#include <stdexcept>

namespace baudbridge::bench {
namespace {

std::atomic<std::uint64_t> bytes_written{0};
std::atomic<std::uint64_t> writes_done{0};
std::atomic<std::uint64_t> syncs_done{0};

/// In SQLite's terms a file is a struct that begins with its methods; the real one stands behind ours.
struct CountedFile {
  sqlite3_file base;
  sqlite3_file* real;
};
sqlite3_file* real_of(sqlite3_file* file) {
  return reinterpret_cast<CountedFile*>(file)->real;
}

sqlite3_vfs* usual() {
  static sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
  return vfs;
}

int close_file(sqlite3_file* file) {
  sqlite3_file* real = real_of(file);
  return real->pMethods != nullptr ? real->pMethods->xClose(real) : SQLITE_OK;
}
int read_file(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
  return real_of(file)->pMethods->xRead(real_of(file), out, size, at);
}
int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  bytes_written += static_cast<std::uint64_t>(size);
  ++writes_done;
  return real_of(file)->pMethods->xWrite(real_of(file), data, size, at);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  return real_of(file)->pMethods->xTruncate(real_of(file), size);
}
int sync_file(sqlite3_file* file, int flags) {
  ++syncs_done;
  return real_of(file)->pMethods->xSync(real_of(file), flags);
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return real_of(file)->pMethods->xFileSize(real_of(file), size);
}
int lock_file(sqlite3_file* file, int how) {
  return real_of(file)->pMethods->xLock(real_of(file), how);
}
int unlock_file(sqlite3_file* file, int how) {
  return real_of(file)->pMethods->xUnlock(real_of(file), how);
}
int check_lock(sqlite3_file* file, int* held) {
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), held);
}
int control_file(sqlite3_file* file, int what, void* argument) {
  return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}
int sector_size(sqlite3_file* file) {
  return real_of(file)->pMethods->xSectorSize(real_of(file));
}
int characteristics(sqlite3_file* file) {
  return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/// Version 1: without shared memory, which an exclusive connection does not need.
constexpr sqlite3_io_methods kMethods = {
    1,         close_file,  read_file,  write_file,   truncate_file, sync_file,       file_size,
    lock_file, unlock_file, check_lock, control_file, sector_size,   characteristics, nullptr,
    nullptr,   nullptr,     nullptr,    nullptr,      nullptr};

int open_file(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* counted = new (file) CountedFile{};
  counted->real = reinterpret_cast<sqlite3_file*>(counted + 1);
  const int code = usual()->xOpen(usual(), name, counted->real, flags, out_flags);
  if (code == SQLITE_OK) counted->base.pMethods = &kMethods;
  return code;
}

void check(sqlite3* database, int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE) return;
  throw std::runtime_error(std::string("bare SQLite: ") + sqlite3_errmsg(database));
}

}  // namespace

void register_counting_vfs() {
  static sqlite3_vfs counting = *usual();
  counting.zName = kCountingVfs;
  counting.szOsFile = static_cast<int>(sizeof(CountedFile)) + usual()->szOsFile;
  counting.xOpen = open_file;
  sqlite3_vfs_register(&counting, 0);
}

DiskCounts disk_counts() {
  return {bytes_written, writes_done, syncs_done};
}

struct BareStore::Handles {
  sqlite3* database = nullptr;
  sqlite3_stmt* insert = nullptr;
};

BareStore::BareStore(const std::string& path) : handles_(std::make_unique<Handles>()) {
  check(nullptr,
        sqlite3_open_v2(path.c_str(), &handles_->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, kCountingVfs));
  sqlite3* database = handles_->database;
  check(database, sqlite3_exec(database,
                               "PRAGMA locking_mode=EXCLUSIVE;PRAGMA page_size=4096;PRAGMA journal_mode=WAL;"
                               "PRAGMA synchronous=FULL;PRAGMA wal_autocheckpoint=128;"
                               "CREATE TABLE queue(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL) "
                               "STRICT",
                               nullptr, nullptr, nullptr));
  check(database,
        sqlite3_prepare_v2(database, "INSERT INTO queue(seq,crc,body) VALUES(?,?,?)", -1, &handles_->insert, nullptr));
}

BareStore::~BareStore() {
  sqlite3_finalize(handles_->insert);
  sqlite3_close(handles_->database);
}

void BareStore::insert(std::string_view body, std::uint64_t count) {
  sqlite3* database = handles_->database;
  check(database, sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
  for (std::uint64_t i = 0; i < count; ++i) {
    constexpr sqlite3_int64 kSomeChecksum = 0x7FFFFFFF;
    sqlite3_bind_int64(handles_->insert, 1, static_cast<sqlite3_int64>(next_++));
    sqlite3_bind_int64(handles_->insert, 2, kSomeChecksum);
    sqlite3_bind_blob64(handles_->insert, 3, body.data(), body.size(), SQLITE_STATIC);
    check(database, sqlite3_step(handles_->insert));
    check(database, sqlite3_reset(handles_->insert));
  }
  check(database, sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr));
}

}  // namespace baudbridge::bench
