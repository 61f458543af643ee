#pragma once
// How the service stays small.

namespace baudbridge {

/// Few heaps, and no hoarding of what was freed. Call it before threads start.
void keep_memory_small();

/// Gives back what only the start has needed: freed heap, and the code and constants of the program and its libraries,
/// which the kernel maps again where they are still used. Takes a few milliseconds; any thread may run meanwhile.
void give_back_memory();

}  // namespace baudbridge
