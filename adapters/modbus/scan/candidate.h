#pragma once
// A profile as `scan` tries it on a device: its points with their registers.
#include <optional>
#include <string>
#include <vector>

#include "adapters/modbus/modbus_config.h"
#include "adapters/modbus/scan/line_setting.h"
#include "adapters/profile.h"
#include "core/point.h"

namespace baudbridge::scan {

/// One point: what it means, and where it stands.
struct CandidatePoint {
  Point point;
  RegisterPoint place;
};

/// One profile of a Modbus device.
struct Candidate {
  std::string id;
  std::string name;
  std::string maker;
  LineSetting line;  ///< factory setting
  int unit = 1;      ///< factory setting
  std::vector<CandidatePoint> points;
};

/// Nothing if it is no Modbus profile, or if one of its points is wrong (`baudbridge check` reports which, where it is
/// used). Pure.
[[nodiscard]] std::optional<Candidate> candidate_from(const Profile& profile);

}  // namespace baudbridge::scan
