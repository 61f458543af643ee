#include "support/queue/crash_vfs.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace baudbridge::testing {
namespace {

constexpr std::size_t kSector = 512;

struct Handle {
  sqlite3_file base;
  CrashDisk* disk;
  std::string* path;
  sqlite3_file* real;  ///< behind this struct
};

Handle* handle(sqlite3_file* file) {
  return reinterpret_cast<Handle*>(file);
}

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::uint64_t inode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

void put(std::string& content, std::uint64_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  content.replace(offset, bytes.size(), bytes);
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

std::uint64_t seeds_first() {
  constexpr std::uint64_t kFirst = 20261124;
  return from_environment("BAUDBRIDGE_SEED", kFirst);
}
std::uint64_t seed_count(std::uint64_t otherwise) {
#if defined(__SANITIZE_THREAD__)
  otherwise = otherwise / 8 + 1;  // there is but one thread here, and it is ten times as slow
#elif defined(__SANITIZE_ADDRESS__)
  otherwise = otherwise / 4 + 1;
#endif
  return from_environment("BAUDBRIDGE_SEEDS", otherwise);
}

struct CrashDisk::Registration {
  sqlite3_vfs vfs{};
  sqlite3_vfs* real = nullptr;
};

/// SQLite's callbacks.
struct CrashIo {
  static CrashDisk* disk_of(sqlite3_vfs* vfs) { return static_cast<CrashDisk*>(vfs->pAppData); }
  static sqlite3_vfs* real_of(sqlite3_vfs* vfs) { return disk_of(vfs)->registration_->real; }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    CrashDisk* disk = disk_of(vfs);
    Handle* self = handle(file);
    self->base.pMethods = nullptr;
    self->real = reinterpret_cast<sqlite3_file*>(self + 1);
    if (disk->dead_) return SQLITE_CANTOPEN;
    const int code = real_of(vfs)->xOpen(real_of(vfs), name, self->real, flags, out_flags);
    if (code != SQLITE_OK) return code;
    self->disk = disk;
    self->path = new std::string(name == nullptr ? "" : name);
    self->base.pMethods = &kMethods;
    if (name != nullptr) disk->opened(*self->path);
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    CrashDisk* disk = disk_of(vfs);
    bool power_lost = false;
    if (disk->next_operation(name, power_lost) != CrashDisk::Fault::none) return SQLITE_IOERR_DELETE;
    if (power_lost) return SQLITE_IOERR_DELETE;
    const auto found = disk->files_.find(name);
    if (found != disk->files_.end()) {
      if (sync_folder != 0) {
        disk->files_.erase(found);
      } else {
        found->second.deleted = true;
        found->second.unsynced.clear();
      }
    }
    return real_of(vfs)->xDelete(real_of(vfs), name, sync_folder);
  }
  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
    return real_of(vfs)->xAccess(real_of(vfs), name, flags, result);
  }
  static int full_path(sqlite3_vfs* vfs, const char* name, int size, char* out) {
    return real_of(vfs)->xFullPathname(real_of(vfs), name, size, out);
  }
  static int randomness(sqlite3_vfs* vfs, int size, char* out) {
    // The salt of a WAL must differ between runs of one seed only by the seed.
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(disk_of(vfs)->dice_.next());
    return size;
  }
  static int sleep(sqlite3_vfs* vfs, int us) { return real_of(vfs)->xSleep(real_of(vfs), us); }
  static int now(sqlite3_vfs* vfs, double* out) { return real_of(vfs)->xCurrentTime(real_of(vfs), out); }
  static int last_error(sqlite3_vfs* /*vfs*/, int /*size*/, char* /*out*/) { return 0; }

  static int close(sqlite3_file* file) {
    Handle* self = handle(file);
    delete self->path;
    return self->real->pMethods->xClose(self->real);
  }
  static int read(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
    if (handle(file)->disk->dead_) return SQLITE_IOERR_READ;
    return handle(file)->real->pMethods->xRead(handle(file)->real, out, size, at);
  }
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
    Handle* self = handle(file);
    bool power_lost = false;
    const auto fault = self->disk->next_operation(*self->path, power_lost);
    std::string bytes(static_cast<const char*>(data), static_cast<std::size_t>(size));
    if (fault == CrashDisk::Fault::short_write || power_lost) bytes.resize(bytes.size() / 2);
    // In WAL mode only a checkpoint writes to the database.
    const auto wal = self->disk->files_.find(*self->path + "-wal");
    if (self->disk->skip_commit_syncs_ && wal != self->disk->files_.end() && !self->disk->dead_) {
      self->disk->make_durable(wal->second);
    }
    const bool reaches = fault == CrashDisk::Fault::none || fault == CrashDisk::Fault::short_write;
    if (reaches && !(power_lost && bytes.empty()) && !(self->disk->dead_ && !power_lost)) {
      const int code = self->real->pMethods->xWrite(self->real, bytes.data(), static_cast<int>(bytes.size()), at);
      if (code != SQLITE_OK) return code;
      self->disk->track(*self->path).unsynced.push_back({static_cast<std::uint64_t>(at), bytes, false});
    }
    if (self->disk->dead_) return SQLITE_IOERR_WRITE;
    if (fault == CrashDisk::Fault::full || fault == CrashDisk::Fault::short_write) return SQLITE_FULL;
    return fault == CrashDisk::Fault::none ? SQLITE_OK : SQLITE_IOERR_WRITE;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    Handle* self = handle(file);
    bool power_lost = false;
    const auto fault = self->disk->next_operation(*self->path, power_lost);
    if (self->disk->dead_ || fault == CrashDisk::Fault::io_error) return SQLITE_IOERR_TRUNCATE;
    self->disk->track(*self->path).unsynced.push_back({static_cast<std::uint64_t>(size), {}, true});
    return self->real->pMethods->xTruncate(self->real, size);
  }
  static int sync(sqlite3_file* file, int /*flags*/) {
    Handle* self = handle(file);
    bool power_lost = false;
    const auto fault = self->disk->next_operation(*self->path, power_lost);
    if (self->disk->dead_) return SQLITE_IOERR_FSYNC;
    ++self->disk->syncs_;
    CrashDisk::File& tracked = self->disk->track(*self->path);
    if (fault == CrashDisk::Fault::io_error) {
      // The kernel has reported the failure, and treats the pages as clean now.
      tracked.unsynced.clear();
      ++self->disk->failed_syncs_;
      return SQLITE_IOERR_FSYNC;
    }
    if (!self->disk->skip_commit_syncs_ || !self->path->ends_with("-wal")) self->disk->make_durable(tracked);
    return SQLITE_OK;
  }
  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    return handle(file)->real->pMethods->xFileSize(handle(file)->real, size);
  }
  static int lock(sqlite3_file* file, int how) { return handle(file)->real->pMethods->xLock(handle(file)->real, how); }
  static int unlock(sqlite3_file* file, int how) {
    return handle(file)->real->pMethods->xUnlock(handle(file)->real, how);
  }
  static int check_lock(sqlite3_file* file, int* out) {
    return handle(file)->real->pMethods->xCheckReservedLock(handle(file)->real, out);
  }
  static int control(sqlite3_file* file, int what, void* out) {
    return handle(file)->real->pMethods->xFileControl(handle(file)->real, what, out);
  }
  static int sector_size(sqlite3_file* /*file*/) { return static_cast<int>(kSector); }
  static int characteristics(sqlite3_file* /*file*/) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static const sqlite3_io_methods kMethods;
};

const sqlite3_io_methods CrashIo::kMethods = {
    1,           close,           read,    write,   truncate, sync,    file_size, lock,   unlock, check_lock, control,
    sector_size, characteristics, nullptr, nullptr, nullptr,  nullptr, nullptr,   nullptr};

CrashDisk::CrashDisk(std::uint64_t seed) : dice_(seed), registration_(std::make_unique<Registration>()) {
  static std::atomic<int> count{0};
  name_ = "crash-" + std::to_string(++count);
  sqlite3_vfs* real = sqlite3_vfs_find(nullptr);
  registration_->real = real;
  sqlite3_vfs& vfs = registration_->vfs;
  vfs.iVersion = 1;
  vfs.szOsFile = static_cast<int>(sizeof(Handle)) + real->szOsFile;
  vfs.mxPathname = real->mxPathname;
  vfs.zName = name_.c_str();
  vfs.pAppData = this;
  vfs.xOpen = CrashIo::open;
  vfs.xDelete = CrashIo::remove;
  vfs.xAccess = CrashIo::access;
  vfs.xFullPathname = CrashIo::full_path;
  vfs.xRandomness = CrashIo::randomness;
  vfs.xSleep = CrashIo::sleep;
  vfs.xCurrentTime = CrashIo::now;
  vfs.xGetLastError = CrashIo::last_error;
  sqlite3_vfs_register(&vfs, 0);
}

CrashDisk::~CrashDisk() {
  sqlite3_vfs_unregister(&registration_->vfs);
}

CrashDisk::Fault CrashDisk::next_operation(const std::string& path, bool& power_lost) {
  ++operations_;
  if (!dead_ && power_at_ != 0 && operations_ >= power_at_) {
    dead_ = true;
    power_lost = true;
    lost_in_ = path;
    if (at_death_) at_death_();
  }
  if (fault_ == Fault::none) return Fault::none;
  const bool hit = for_ever_ ? operations_ >= fault_at_ : operations_ == fault_at_;
  return hit ? fault_ : Fault::none;
}

void CrashDisk::opened(const std::string& path) {
  const auto made = files_.find(path + ".new");
  if (made != files_.end() && ::access((path + ".new").c_str(), F_OK) != 0) {
    // It was given its name by a rename: whatever stood here before is another file.
    if (!made->second.unsynced.empty() || !made->second.existed) renamed_unsynced_ = true;
    files_.erase(made);
    files_.erase(path);
    files_.erase(path + "-wal");
  }
  const auto known = files_.find(path);
  // Another file was renamed over it, synced before: what it holds is on the disk.
  if (known != files_.end() && known->second.inode != 0 && inode_of(path) != known->second.inode) files_.erase(known);
  track(path).deleted = false;
}

CrashDisk::File& CrashDisk::track(const std::string& path) {
  const auto found = files_.find(path);
  if (found != files_.end()) return found->second;
  File file;
  file.existed = ::access(path.c_str(), F_OK) == 0;
  if (file.existed) file.durable = content_of(path);
  file.inode = inode_of(path);
  // A file that was just made is there, but its name is not on the disk yet.
  if (file.durable.empty()) file.existed = false;
  return files_.emplace(path, std::move(file)).first->second;
}

void CrashDisk::make_durable(File& file) {
  for (const auto& write : file.unsynced) apply(file.durable, write, false);
  file.unsynced.clear();
  file.existed = true;
}

/// Each sector by itself: the disk may have written any of them, in any order, when the power went.
void CrashDisk::apply(std::string& content, const Write& write, bool torn) {
  if (write.truncate) {
    if (!torn || dice_.one_in(2)) content.resize(write.offset);
    return;
  }
  std::uint64_t at = write.offset;
  std::string_view left = write.bytes;
  while (!left.empty()) {
    const std::size_t size = std::min<std::size_t>(left.size(), kSector - at % kSector);
    std::string sector(left.substr(0, size));
    const std::uint64_t fate = torn ? dice_.below(8) : 0;
    if (fate == 7) {
      for (char& c : sector) c = static_cast<char>(dice_.next());
    } else if (fate == 6) {
      sector.resize(size / 2);
    }
    if (fate < 3 || fate >= 6) put(content, at, sector);
    at += size;
    left.remove_prefix(size);
  }
}

void CrashDisk::restart() {
  for (auto& [path, file] : files_) {
    const bool renamed = !file.deleted && ::access(path.c_str(), F_OK) != 0;
    if (renamed) continue;
    for (const auto& write : file.unsynced) apply(file.durable, write, true);
    const bool gone = (file.deleted && dice_.one_in(2)) || (!file.existed && dice_.one_in(2));
    ::unlink(path.c_str());
    if (gone) continue;
    if (!file.existed && !file.deleted && dice_.one_in(2)) file.durable.clear();
    std::ofstream(path, std::ios::binary) << file.durable;
  }
  files_.clear();
  forget();
}

void CrashDisk::forget() {
  dead_ = false;
  power_at_ = 0;
  lost_in_.clear();
  fault_ = Fault::none;
}

}  // namespace baudbridge::testing
