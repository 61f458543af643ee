#include "core/timeline.h"

#include <algorithm>

namespace baudbridge {

void Timeline::set(const Anchor& anchor) {
  auto same = std::find_if(anchors_.begin(), anchors_.end(), [&](const Anchor& a) { return a.boot == anchor.boot; });
  if (same != anchors_.end()) {
    *same = anchor;
  } else {
    anchors_.push_back(anchor);
  }
}

std::optional<Anchor> Timeline::find(const BootId& boot) const {
  for (const auto& anchor : anchors_) {
    if (anchor.boot == boot) return anchor;
  }
  return std::nullopt;
}

Stamp Timeline::resolve(const Taken& taken) const {
  if (taken.utc_synced) return {taken.utc, ClockWord::set};
  const auto anchor = find(taken.boot);
  if (!anchor) return {taken.utc, ClockWord::unsynced};
  return {anchor->utc - (anchor->boot_clock - taken.boot_clock), ClockWord::corrected};
}

}  // namespace baudbridge
