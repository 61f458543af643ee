#include "offline_queue/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/unique_fd.h"

namespace baudbridge {
namespace {

Error system_error(const std::string& what, int code) {
  return Error{code == ENOSPC || code == EDQUOT ? Fault::full : Fault::io, what + ": " + std::strerror(code)};
}

Result<void> sync_folder(const std::string& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return system_error("cannot sync " + folder, errno);
  return {};
}

}  // namespace

Kind kind_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return Kind::nothing;
  if (!S_ISREG(status.st_mode)) return Kind::something_else;
  return status.st_size == 0 ? Kind::empty_file : Kind::file;
}

std::string damaged_name(const std::string& path, Milliseconds utc) {
  std::string stamp;
  for (const char c : utc_text(utc).substr(0, 19)) {  // without the fraction
    if (c != '-' && c != ':') stamp += c;
  }
  const std::string base = path + ".damaged-" + stamp + "Z";
  std::string name = base;
  for (int i = 2; kind_of(name) != Kind::nothing; ++i) name = base + "-" + std::to_string(i);
  return name;
}

Result<void> rename_durably(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return system_error("cannot rename " + from, errno);
  return sync_folder(folder_of(to));
}

Result<void> rename_with_wal(const std::string& from, const std::string& to) {
  // The file first: a WAL without its database is not used.
  if (kind_of(from) != Kind::nothing) {
    if (auto done = rename_durably(from, to); !done) return done;
  }
  if (kind_of(from + "-wal") == Kind::nothing) return {};
  return rename_durably(from + "-wal", to + "-wal");
}

Result<void> copy_and_sync(const std::string& path) {
  constexpr mode_t kOwnerOnly = 0600;
  const std::string copy = path + ".new";
  const UniqueFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return errno == ENOENT ? Result<void>() : system_error("cannot read " + path, errno);
  const UniqueFd to(::open(copy.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerOnly));
  if (!to) return system_error("cannot make " + copy, errno);
  std::array<char, 64 << 10> chunk;
  for (;;) {
    const ssize_t size = ::read(from.get(), chunk.data(), chunk.size());
    if (size < 0) return system_error("cannot read " + path, errno);
    if (size == 0) break;
    for (ssize_t done = 0; done < size;) {
      const ssize_t n = ::write(to.get(), chunk.data() + done, static_cast<std::size_t>(size - done));
      if (n <= 0) return system_error("cannot write " + copy, n < 0 ? errno : ENOSPC);
      done += n;
    }
  }
  if (::fsync(to.get()) != 0) return system_error("cannot sync " + copy, errno);
  return {};
}

Result<void> place_copy(const std::string& path) {
  if (kind_of(path + ".new") == Kind::nothing) return {};
  return rename_durably(path + ".new", path);
}

Result<void> make_folder_of(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(folder_of(path), failed);
  if (failed) return Error{Fault::io, "cannot make the folder " + folder_of(path) + ": " + failed.message()};
  return {};
}

std::string folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string name_of(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

}  // namespace baudbridge
