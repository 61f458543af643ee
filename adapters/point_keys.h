#pragma once
#include "core/point.h"
#include "core/settings.h"

namespace baudbridge {

/// Parses the keys of a [[device.point]] that mean the same whatever protocol reads it. The id is a problem if it is
/// missing or no id; the adapter's own keys are left for its parser.
[[nodiscard]] Point parse_common_point(Settings& settings);

}  // namespace baudbridge
