#include "src/memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

namespace baudbridge {
namespace {

/// One mapping of /proc/self/smaps (proc(5)).
struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool file_never_written = false;  ///< of a file, not writable, and no page of it is our own copy
};

std::uintptr_t hexadecimal(std::string_view text) {
  std::uintptr_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, 16);
  return number;
}

/// "7f00-7f10 r-xp 00000000 08:01 42 /usr/lib/libx.so"; false: another kind of line.
bool parse_head(const std::string& line, Mapping& mapping) {
  const std::size_t dash = line.find('-');
  const std::size_t blank = line.find(' ');
  if (dash == std::string::npos || blank == std::string::npos || dash > blank || line.size() < blank + 5) return false;
  mapping.begin = hexadecimal(std::string_view(line).substr(0, dash));
  mapping.end = hexadecimal(std::string_view(line).substr(dash + 1, blank - dash - 1));
  const std::string_view rights = std::string_view(line).substr(blank + 1, 4);
  mapping.file_never_written =
      rights[0] == 'r' && rights[1] == '-' && rights[3] == 'p' && line.find('/', blank) != std::string::npos;
  return true;
}

void give_back(const Mapping& mapping) {
  if (!mapping.file_never_written) return;
  // Pages that were relocated at the start are our own copies (Anonymous above zero) and must stay; the others are the
  // file's, as they are on disk.
  (void)::madvise(reinterpret_cast<void*>(mapping.begin), mapping.end - mapping.begin, MADV_DONTNEED);
}

}  // namespace

void keep_memory_small() {
  constexpr int kArenas = 2;
  constexpr int kGiveBack_bytes = 128 * 1024;
  ::mallopt(M_ARENA_MAX, kArenas);
  ::mallopt(M_MMAP_THRESHOLD, kGiveBack_bytes);
  ::mallopt(M_TRIM_THRESHOLD, kGiveBack_bytes);
}

void give_back_memory() {
  ::malloc_trim(0);
  std::ifstream smaps("/proc/self/smaps");
  Mapping mapping;
  for (std::string line; std::getline(smaps, line);) {
    constexpr std::string_view kOwnCopies = "Anonymous:";
    if (line.starts_with(kOwnCopies)) {
      if (line.find_first_of("123456789") != std::string::npos) mapping.file_never_written = false;
      give_back(mapping);
      mapping = {};
    } else if (line.find(':') == std::string::npos || line.find('-') < line.find(' ')) {
      Mapping next;
      if (parse_head(line, next)) mapping = next;
    }
  }
}

}  // namespace baudbridge
