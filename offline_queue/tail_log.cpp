#include "offline_queue/tail_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "offline_queue/bytes.h"
#include "offline_queue/crc32c.h"

namespace baudbridge {
namespace {

constexpr char kMark = static_cast<char>(0xB5);
constexpr mode_t kOwnerOnly = 0600;
constexpr std::size_t kChunk = 64 << 10;

Error system_error(const std::string& what, int code) {
  return Error{code == ENOSPC || code == EDQUOT ? Fault::full : Fault::io, what + ": " + std::strerror(code)};
}

void append_entry(std::string& out, std::uint8_t type, std::string_view payload) {
  std::array<char, TailLog::kOverhead> head{};
  BasicByteWriter<RoomForBytes> writer(RoomForBytes{head.data()});
  writer.byte(static_cast<std::uint8_t>(kMark));
  writer.byte(type);
  writer.fixed32(static_cast<std::uint32_t>(payload.size()));
  writer.fixed32(crc32c(payload, crc32c(std::string_view(head.data() + 1, 5))));
  out.append(head.data(), head.size()).append(payload);
}

/// The size of the whole entry at the start of `data`; 0: there is none. too_short: it would be one if there were more.
std::size_t entry_at(std::string_view data, bool& too_short) {
  too_short = false;
  if (data.front() != kMark) return 0;
  if (data.size() < TailLog::kOverhead) {
    too_short = true;
    return 0;
  }
  ByteReader in(data.substr(2));
  const std::uint32_t size = in.fixed32();
  const std::uint32_t checksum = in.fixed32();
  if (size > TailLog::kMaxPayload) return 0;
  if (data.size() - TailLog::kOverhead < size) {
    too_short = true;
    return 0;
  }
  const std::string_view payload = data.substr(TailLog::kOverhead, size);
  if (crc32c(payload, crc32c(data.substr(1, 5))) != checksum) return 0;
  return TailLog::kOverhead + size;
}

/// Returns where the last complete entry ends.
std::size_t visit_all(std::string_view data, const TailLog::Visitor& visit, TailLog::Scan& scan) {
  std::size_t at = 0;
  std::size_t end = 0;  // of the last whole entry
  bool torn = false;    // what follows it may be an entry that was never completed
  while (at < data.size()) {
    bool too_short = false;
    const std::size_t size = entry_at(data.substr(at), too_short);
    if (size == 0) {
      if (at == end) torn = too_short;
      ++at;
      continue;
    }
    scan.damaged_bytes += at - end;
    visit(static_cast<std::uint8_t>(data[at + 1]), data.substr(at + TailLog::kOverhead, size - TailLog::kOverhead),
          at + TailLog::kOverhead);
    ++scan.entries;
    at += size;
    end = at;
    torn = false;
  }
  if (end < data.size() && !torn) scan.damaged_bytes += data.size() - end;
  return end;
}

Result<std::size_t> scan_file(int fd, const TailLog::Visitor& visit, TailLog::Scan& scan) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_error("cannot look at it", errno);
  if (!S_ISREG(status.st_mode)) return Error{Fault::protocol, "is not a file"};
  scan.existed = true;
  scan.inode = status.st_ino;
  scan.modified_ms = std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return std::size_t{0};
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapped == MAP_FAILED) return system_error("cannot read it", errno);
  const std::size_t end = visit_all({static_cast<const char*>(mapped), size}, visit, scan);
  ::munmap(mapped, size);
  return end;
}

/// A reader holds the lock for a moment.
bool lock_file(int fd, int how) {
  constexpr int kTries = 20;
  constexpr timespec kMoment{0, 10'000'000};
  for (int i = 0; i < kTries; ++i) {
    if (::flock(fd, how | LOCK_NB) == 0) return true;
    ::nanosleep(&kMoment, nullptr);
  }
  return false;
}

}  // namespace

std::int64_t TailLog::clock_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

Result<TailLog::Scan> TailLog::open(const Visitor& visit, Mode mode) {
  Scan scan;
  if (path_.empty()) return scan;
  const bool change = mode == Mode::read_write;
  UniqueFd fd(::open(path_.c_str(), (change ? O_RDWR : O_RDONLY) | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return scan;
    return errno == EISDIR ? Error{Fault::protocol, "is a directory"} : system_error("cannot open it", errno);
  }
  if (!lock_file(fd.get(), change ? LOCK_EX : LOCK_SH)) {
    return Error{Fault::closed,
                 change ? "another process holds it (is the service running twice?)" : "a running service holds it"};
  }
  const auto end = scan_file(fd.get(), visit, scan);
  if (!end) return end.error();
  if (!change) ::flock(fd.get(), LOCK_UN);  // what was read stays as it is; a service may start
  // An incomplete entry is removed, so that new entries follow the last complete one.
  if (change && ::ftruncate(fd.get(), static_cast<off_t>(*end)) != 0) return system_error("cannot cut it", errno);
  fd_ = std::move(fd);
  inode_ = scan.inode;
  flushed_ = *end;
  return scan;
}

std::uint64_t TailLog::append(std::uint8_t type, std::string_view payload) {
  append_entry(buffer_, type, payload);
  return size() - payload.size();
}

Result<void> TailLog::write_out(int fd, std::string& buffer, std::uint64_t& at) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t n = ::pwrite(fd, buffer.data() + done, buffer.size() - done, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int code = n < 0 ? errno : ENOSPC;
      buffer.erase(0, done);
      return system_error("cannot write " + path_, code);
    }
    done += static_cast<std::size_t>(n);
    at += static_cast<std::uint64_t>(n);
  }
  buffer.clear();
  if (buffer.capacity() > 4 * kChunk) buffer.shrink_to_fit();
  return {};
}

Result<void> TailLog::flush() {
  if (path_.empty() || buffer_.empty()) return {};
  if (!fd_) {
    auto created = create();
    if (!created) {
      error_ = created.error().what;
      return created.error();
    }
    new_fd_ = std::move(*created);
    new_buffer_ = std::move(buffer_);
    new_flushed_ = 0;
    auto done = use_new_file();
    error_ = done ? "" : done.error().what;
    return done;
  }
  auto done = write_out(fd_.get(), buffer_, flushed_);
  error_ = done ? "" : done.error().what;
  return done;
}

bool TailLog::unlinked() const {
  struct stat status {};
  return fd_ && ::fstat(fd_.get(), &status) == 0 && status.st_nlink == 0;
}

bool TailLog::read_file(std::uint64_t offset, std::size_t size, char* out) const {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd_.get(), out + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

bool TailLog::read(std::uint64_t offset, std::size_t size, std::string& out) const {
  if (offset >= ahead_at_ && offset + size <= ahead_at_ + ahead_.size()) {
    out.assign(ahead_, static_cast<std::size_t>(offset - ahead_at_), size);
    read_to_ = offset + size;
    return true;
  }
  const bool goes_on = offset >= read_to_ && offset - read_to_ < kChunk / 16;
  read_to_ = offset + size;
  out.resize(size);
  const auto in_file =
      offset < flushed_ ? static_cast<std::size_t>(std::min<std::uint64_t>(size, flushed_ - offset)) : 0;
  if (goes_on && in_file == size && size < kChunk) {
    ahead_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, flushed_ - offset)));
    ahead_at_ = offset;
    if (!read_file(offset, ahead_.size(), ahead_.data())) {
      ahead_.clear();
      return false;
    }
    out.assign(ahead_, 0, size);
    return true;
  }
  if (in_file > 0 && !read_file(offset, in_file, out.data())) return false;
  if (in_file == size) return true;
  const std::uint64_t in_buffer = offset + in_file - flushed_;
  if (in_buffer + (size - in_file) > buffer_.size()) return false;
  std::memcpy(out.data() + in_file, buffer_.data() + in_buffer, size - in_file);
  return true;
}

Result<UniqueFd> TailLog::create() {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  const std::string name = path_ + ".new";
  UniqueFd fd(::open(name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerOnly));
  if (!fd) return system_error("cannot make " + name, errno);
  ::flock(fd.get(), LOCK_EX | LOCK_NB);
  struct stat status {};
  if (::fstat(fd.get(), &status) == 0) inode_ = status.st_ino;
  return fd;
}

/// Writes the new file and renames it over the old one; on failure its content stays in memory.
Result<void> TailLog::use_new_file() {
  auto done = new_fd_ ? write_out(new_fd_.get(), new_buffer_, new_flushed_) : Result<void>(Error{Fault::io, error_});
  if (done && ::rename((path_ + ".new").c_str(), path_.c_str()) != 0)
    done = system_error("cannot rename " + path_, errno);
  ahead_.clear();
  read_to_ = 0;
  if (done) {
    fd_ = std::move(new_fd_);
    flushed_ = new_flushed_;
    buffer_.clear();
    return {};
  }
  // Back into memory as one piece.
  if (new_fd_ && new_flushed_ > 0) {
    std::string written(new_flushed_, '\0');
    const ssize_t n = ::pread(new_fd_.get(), written.data(), written.size(), 0);
    if (n == static_cast<ssize_t>(written.size())) new_buffer_.insert(0, written);
  }
  new_fd_.reset();
  if (!path_.empty()) ::unlink((path_ + ".new").c_str());
  fd_.reset();
  flushed_ = 0;
  buffer_ = std::move(new_buffer_);
  new_buffer_.clear();
  return done;
}

void TailLog::begin_rewrite() {
  new_buffer_.clear();
  new_flushed_ = 0;
  new_fd_.reset();
  if (path_.empty()) return;
  auto created = create();
  if (created) {
    new_fd_ = std::move(*created);
  } else {
    error_ = created.error().what;
  }
}

std::uint64_t TailLog::rewrite(std::uint8_t type, std::string_view payload) {
  append_entry(new_buffer_, type, payload);
  const std::uint64_t offset = new_flushed_ + new_buffer_.size() - payload.size();
  if (new_fd_ && new_buffer_.size() > kChunk) {
    if (auto done = write_out(new_fd_.get(), new_buffer_, new_flushed_); !done) error_ = done.error().what;
  }
  return offset;
}

void TailLog::end_rewrite() {
  if (path_.empty()) {
    buffer_ = std::move(new_buffer_);
    new_buffer_.clear();
    flushed_ = 0;
    ahead_.clear();
    return;
  }
  if (auto done = use_new_file()) {
    error_.clear();
  } else {
    error_ = done.error().what;
  }
}

}  // namespace baudbridge
