#include "src/memory.h"

#include <malloc.h>

namespace baudbridge {

void limit_heap() {
  constexpr int kArenas = 2;
  constexpr int kReturned_bytes = 128 * 1024;
  ::mallopt(M_ARENA_MAX, kArenas);
  ::mallopt(M_MMAP_THRESHOLD, kReturned_bytes);
  ::mallopt(M_TRIM_THRESHOLD, kReturned_bytes);
}

void release_freed_heap() {
  ::malloc_trim(0);
}

}  // namespace baudbridge
