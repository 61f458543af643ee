#pragma once
// [[bus]] and [[device]] -> BusPlan: profiles merged, common keys taken, the rest handed to each protocol's own parser.
#include <vector>

#include "adapters/plan.h"
#include "adapters/profile.h"
#include "core/settings.h"

namespace baudbridge {

/// Parses every [[bus]] and [[device]] of the configuration's root table.
/// complete: false when a file could not be read at all, so that what is missing may only be missing from our view.
[[nodiscard]] std::vector<BusPlan> parse_buses(Settings& root, ProfileFolders& profiles, bool complete);

}  // namespace baudbridge
