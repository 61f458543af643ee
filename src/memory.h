#pragma once
// The settings of the C library's heap.

namespace baudbridge {

/// Few arenas, and freed memory goes back to the kernel in blocks of 128 KiB (mallopt(3)).
/// Threads: call it before threads start.
void limit_heap();

}  // namespace baudbridge
