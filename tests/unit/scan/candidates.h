#pragma once
// Candidates for the tests: all shipped profiles, and one of our own.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adapters/modbus/scan/candidate.h"
#include "adapters/profile.h"
#include "src/config/places.h"

namespace baudbridge::scan {

/// Every shipped profile that a scan looks for.
inline const std::vector<Candidate>& shipped() {
  static const std::vector<Candidate> kCandidates = [] {
    std::vector<Candidate> all;
    std::vector<Problem> problems;
    ProfileFolders profiles(shipped_profile_folders());
    for (const auto& name : profiles.names()) {
      const Profile* profile = profiles.find(name, problems);
      if (profile == nullptr) continue;
      if (auto candidate = candidate_from(*profile)) all.push_back(std::move(*candidate));
    }
    return all;
  }();
  return kCandidates;
}

/// One with frequencies in input registers 0, 1, 2 ...: 4990 is 49.9 Hz.
inline Candidate frequency_meter(std::uint16_t points) {
  Candidate meter;
  meter.id = "meter";
  for (std::uint16_t i = 0; i < points; ++i) {
    CandidatePoint each;
    each.point.id = "f" + std::to_string(i);
    each.point.kind = "frequency";
    each.point.unit = "Hz";
    each.point.scale = 0.01;
    each.place.table = Table::input;
    each.place.address = i;
    meter.points.push_back(each);
  }
  return meter;
}

}  // namespace baudbridge::scan
