#pragma once
// The settings of the C library's heap.

namespace baudbridge {

/// Few arenas, and freed memory goes back to the kernel in blocks of 128 KiB (mallopt(3)).
/// Threads: call it before threads start.
void limit_heap();

/// Returns freed memory to the kernel: what only the start needed, such as the parsed configuration files.
/// Threads: any; it takes a few milliseconds.
void release_freed_heap();

}  // namespace baudbridge
