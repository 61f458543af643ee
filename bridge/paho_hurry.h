#pragma once

namespace baudbridge {

/// The client library begins an attempt: for a moment it shall look for its socket more often than it would.
/// Threads: any.
void hurry_library();

}  // namespace baudbridge
