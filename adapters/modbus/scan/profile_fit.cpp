#include "adapters/modbus/scan/profile_fit.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "adapters/modbus/scan/plausibility.h"

namespace baudbridge::scan {
namespace {

constexpr std::size_t kMostPoints = 20;   ///< read of one profile
constexpr unsigned kFirstImpression = 3;  ///< so many without a plausible one, and it is not this
constexpr unsigned kMostSilence = 2;
// In bits, the evidence against a profile: of a device that is the profile's, one value in eight is unusual, one
// register in eight is missing in its model; of another device nearly all are.
constexpr double kUnusual = 3.0;
constexpr double kRefused = 3.0;
constexpr double kImplausible = 6.0;
constexpr double kGoodEvidence = 18.0;
constexpr double kLikelyEvidence = 8.0;
constexpr std::size_t kShortestMaker = 3;

unsigned against(const Fit& fit) {
  return fit.unusual + fit.implausible + fit.refused;
}

Grade grade_of(const Fit& fit) {
  const unsigned decided = fit.plausible + against(fit);
  if (fit.plausible == 0 || fit.refused * 2 > fit.plausible || fit.implausible * 3 > decided) return Grade::none;
  if (fit.evidence >= kGoodEvidence && fit.implausible == 0 && against(fit) * 10 <= decided) return Grade::good;
  if (fit.evidence >= kLikelyEvidence) return Grade::likely;
  // Little evidence must at least be free of contradiction.
  return against(fit) == 0 ? Grade::weak : Grade::none;
}

bool hopeless(const Fit& fit) {
  if (fit.plausible == 0 && against(fit) >= kFirstImpression) return true;
  return against(fit) > kFirstImpression && against(fit) > fit.plausible;
}

/// 0: no evidence, whatever its value.
int evidence_rank(const CandidatePoint& each) {
  const RegisterType type = each.place.format.type;
  if (holds_bits(each.place.table) || type == RegisterType::boolean) return 0;
  int worth = 1;
  if (type == RegisterType::float32 || type == RegisterType::float64) worth += 2;
  if (type == RegisterType::string) worth += 3;
  if (!each.point.kind.empty() && each.point.kind != "energy") worth += 2;
  if (!each.point.map.empty()) worth += 1;
  return worth;
}

/// Adds up the evidence of one device; an equal value counts once.
void take(const CandidatePoint& each, const std::vector<std::uint16_t>& registers, std::set<std::uint64_t>& seen,
          Fit& fit) {
  const Judgement judgement = judge(each.point, each.place.format, registers);
  switch (judgement.verdict) {
    case Verdict::plausible:
      ++fit.plausible;
      if (judgement.evidence > 0.0 && seen.insert(judgement.raw).second) fit.evidence += judgement.evidence;
      break;
    case Verdict::unusual:
      ++fit.unusual;
      fit.evidence -= kUnusual;
      if (fit.against.empty()) fit.against = judgement.why;
      break;
    case Verdict::implausible:
      if (fit.implausible++ == 0) fit.against = judgement.why;
      fit.evidence -= kImplausible;
      break;
    case Verdict::no_value:
      ++fit.no_value;
      break;
  }
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

const Result<std::vector<std::uint16_t>>& CachedReads::operator()(const RegisterPoint& place) {
  const auto key = std::make_tuple(place.table, place.address, place.size());
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  return known_.emplace(key, read_(place)).first->second;
}

std::vector<const CandidatePoint*> best_points(const Candidate& candidate, std::size_t most) {
  std::vector<const CandidatePoint*> points;
  for (const CandidatePoint& each : candidate.points) points.push_back(&each);
  std::stable_sort(points.begin(), points.end(),
                   [](const auto* a, const auto* b) { return evidence_rank(*a) > evidence_rank(*b); });
  if (points.size() > most) {
    // Of points with equal evidence, some from all registers.
    const int worth = evidence_rank(*points[most - 1]);
    const auto first =
        std::find_if(points.begin(), points.end(), [&](const auto* p) { return evidence_rank(*p) == worth; });
    const auto last = std::find_if(first, points.end(), [&](const auto* p) { return evidence_rank(*p) != worth; });
    const std::vector<const CandidatePoint*> equal(first, last);
    const auto room = most - static_cast<std::size_t>(first - points.begin());
    points.erase(first, points.end());
    for (std::size_t i = 0; i < room; ++i) points.push_back(equal[i * equal.size() / room]);
  }
  std::stable_sort(points.begin(), points.end(), [](const auto* a, const auto* b) {
    return std::pair(a->place.table, a->place.address) < std::pair(b->place.table, b->place.address);
  });
  return points;
}

Fit try_profile(const Candidate& candidate, CachedReads& read) {
  Fit fit;
  fit.profile = candidate.id;
  fit.name = candidate.name;
  std::set<std::uint64_t> seen;
  for (const CandidatePoint* each : best_points(candidate, kMostPoints)) {
    const auto& registers = read(each->place);
    ++fit.asked;
    if (registers) {
      take(*each, *registers, seen, fit);
    } else if (registers.error().kind == Fault::exception) {
      // Settings come and go with the firmware.
      ++(each->point.writable ? fit.no_value : fit.refused);
      if (!each->point.writable) fit.evidence -= kRefused;
    } else if (registers.error().kind == Fault::closed) {
      --fit.asked;
      break;
    } else if (++fit.unanswered >= kMostSilence) {
      break;
    }
    if (hopeless(fit)) break;
  }
  fit.grade = grade_of(fit);
  return fit;
}

void rank(std::vector<Fit>& fits) {
  std::stable_sort(fits.begin(), fits.end(), [](const Fit& a, const Fit& b) {
    const auto key = [](const Fit& fit) {
      return std::make_tuple(static_cast<int>(fit.grade), fit.identified, fit.evidence, fit.factory_line);
    };
    return key(a) > key(b);
  });
}

bool names_maker(const Candidate& candidate, std::span<const std::string> words) {
  std::string maker = lower(candidate.maker.substr(0, candidate.maker.find_first_of(" ,/(")));
  if (maker.size() < kShortestMaker || maker == "generic") return false;
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return lower(word).find(maker) != std::string::npos; });
}

std::string fit_text(const Fit& fit) {
  const unsigned decided = fit.plausible + against(fit);
  std::string text = std::to_string(fit.plausible) + " of " + std::to_string(decided) + " values plausible";
  if (fit.refused > 0) text += ", " + std::to_string(fit.refused) + " not there";
  if (fit.unusual > 0) text += ", " + std::to_string(fit.unusual) + " unusual";
  if (fit.implausible > 0) text += ", " + std::to_string(fit.implausible) + " impossible";
  if (!fit.against.empty()) text += " (" + fit.against + ")";
  if (fit.unanswered > 0) text += ", " + std::to_string(fit.unanswered) + " not answered";
  if (fit.identified) text += ", and it names this maker";
  if (fit.grade == Grade::weak) text += "; weak evidence, such values fit many devices";
  return text;
}

}  // namespace baudbridge::scan
