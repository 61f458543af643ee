// Every shipped profile against a device made from it: it is recognised, and no other profile is
#include <cmath>
#include <map>

#include "adapters/modbus/scan/profile_fit.h"
#include "adapters/shaping.h"
#include "src/demo/register_image.h"
#include "support/catch.h"
#include "unit/scan/candidates.h"

using namespace baudbridge;
using namespace baudbridge::scan;
using simulation::RegisterImage;

namespace {

/// What such a quantity may be on an ordinary day, in the base unit.
double everyday(const std::string& kind, std::size_t number) {
  const double step = static_cast<double>(number % 7);
  static const std::map<std::string, double> kValues{
      {"voltage", 229.7},         {"current", 4.31},  {"frequency", 50.02},      {"power", 985.0},
      {"apparent_power", 1003.0}, {"energy", 1834.2}, {"reactive_power", 140.0}, {"temperature", 24.3},
      {"humidity", 41.0},         {"battery", 71.0},  {"moisture", 23.0},        {"carbon_dioxide", 640.0},
      {"wind_speed", 3.2},        {"ph", 6.8},        {"wind_direction", 211.0}, {"atmospheric_pressure", 1003.0}};
  if (kind == "power_factor") return 0.97 - 0.003 * step;
  const auto found = kValues.find(kind);
  return found == kValues.end() ? 3.0 + step : found->second * (1.0 + 0.002 * step);
}

double factor_of(const std::string& unit) {
  if (unit == "mV" || unit == "mA" || unit == "mW") return 1e3;
  if (unit == "kW" || unit == "kVA" || unit == "kvar" || unit == "kV") return 1e-3;
  if (unit == "Wh") return 1e3;
  if (unit == "kPa") return 0.1;
  return 1.0;
}

/// A device that holds everyday values at the profile's registers, and nothing else.
RegisterImage device_of(const Candidate& candidate) {
  RegisterImage image;
  std::size_t number = 0;
  for (const CandidatePoint& each : candidate.points) {
    if (holds_bits(each.place.table)) {
      image.set_bit(each.place.table, each.place.address, true);
      continue;
    }
    if (each.place.format.type == RegisterType::string) {
      for (std::uint16_t i = 0; i < each.place.size(); ++i) {
        image.set(each.place.table, static_cast<std::uint16_t>(each.place.address + i), 0x4142);
      }
      continue;
    }
    Value wanted = everyday(each.point.kind, ++number) * (each.point.unit == "%" ? 1.0 : factor_of(each.point.unit));
    if (each.point.kind == "power_factor" && each.point.unit == "%") wanted = 97.0;
    if (!each.point.map.empty()) wanted = Value{each.point.map.rbegin()->second};
    if (each.place.format.type == RegisterType::boolean) wanted = Value{true};
    auto raw = unshape(each.point, wanted);
    if (!raw) raw = Value{std::int64_t{1}};
    std::vector<std::uint16_t> current(each.place.size());
    for (std::uint16_t i = 0; i < each.place.size(); ++i) {
      current[i] = image.get(each.place.table, static_cast<std::uint16_t>(each.place.address + i));
    }
    const bool whole = each.place.format.type <= RegisterType::uint64;
    if (const auto* scaled = std::get_if<double>(&*raw); scaled != nullptr && whole) {
      raw = Value{static_cast<std::int64_t>(std::llround(*scaled))};
    }
    auto words = encode_registers(each.place.format, *raw, current);
    if (!words) words = current;
    for (std::size_t i = 0; i < words->size(); ++i) {
      image.set(each.place.table, static_cast<std::uint16_t>(each.place.address + i), (*words)[i]);
    }
  }
  return image;
}

/// A profile with nothing to recognise it by: bits, or numbers that may be anything.
bool has_evidence(const Candidate& candidate) {
  unsigned evident = 0;
  for (const CandidatePoint& each : candidate.points) {
    if (!each.point.kind.empty() && !each.point.writable && each.point.kind != "energy") ++evident;
  }
  return evident >= 4;
}

}  // namespace

TEST_CASE("a device made from a profile is recognised by it, and hardly any other claims it") {
  const auto& known = shipped();
  std::size_t tried = 0;
  std::size_t recognised = 0;
  std::size_t first = 0;
  std::size_t others = 0;
  for (const Candidate& own : known) {
    if (!has_evidence(own)) continue;
    ++tried;
    RegisterImage image = device_of(own);
    CachedReads read([&image](const RegisterPoint& place) -> Result<std::vector<std::uint16_t>> {
      const Bytes reply = image.answer(read_request(place.table, place.address, place.size()));
      if ((reply[0] & 0x80) != 0) return Error{Fault::exception, "refused", reply[1]};
      if (holds_bits(place.table)) return std::vector<std::uint16_t>{reply[2]};
      return response_registers(reply);
    });
    std::vector<Fit> fits;
    std::string text;
    for (const Candidate& each : known) {
      Fit fit = try_profile(each, read);
      if (each.id == own.id) text += "itself: " + fit_text(fit) + " " + std::to_string(fit.evidence) + "; ";
      if (fit.grade >= Grade::likely) fits.push_back(std::move(fit));
    }
    rank(fits);
    const auto itself = std::find_if(fits.begin(), fits.end(), [&](const Fit& fit) { return fit.profile == own.id; });
    if (itself != fits.end()) ++recognised;
    if (itself == fits.begin() && itself != fits.end()) ++first;
    for (const Fit& fit : fits) {
      if (fit.profile == own.id) continue;
      ++others;
      text += fit.profile + ": " + fit_text(fit) + " " + std::to_string(fit.evidence) + "; ";
    }
    UNSCOPED_INFO(own.id << ": " << text);
  }
  UNSCOPED_INFO("tried " << tried << ", recognised " << recognised << ", first " << first << ", others " << others);
  CHECK(tried > 30);
  CHECK(recognised == tried);
  CHECK(first * 10 >= tried * 9);
  CHECK(others <= tried / 2);
}
