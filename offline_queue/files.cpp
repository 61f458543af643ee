#include "offline_queue/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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
  // The file first: without it nobody takes the WAL for that of another file.
  if (kind_of(from) != Kind::nothing) {
    if (auto done = rename_durably(from, to); !done) return done;
  }
  if (kind_of(from + "-wal") == Kind::nothing) return {};
  return rename_durably(from + "-wal", to + "-wal");
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
