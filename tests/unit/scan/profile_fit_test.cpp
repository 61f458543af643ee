#include "adapters/modbus/scan/profile_fit.h"

#include <bit>

#include "src/demo/modbus_devices.h"
#include "support/catch.h"
#include "unit/scan/candidates.h"

using namespace baudbridge;
using namespace baudbridge::scan;
using simulation::RegisterImage;

namespace {

/// A device that holds what its image holds and refuses everything else.
ReadRegisters read_from(RegisterImage& image, unsigned* asked = nullptr) {
  return [&image, asked](const RegisterPoint& place) -> Result<std::vector<std::uint16_t>> {
    if (asked != nullptr) ++*asked;
    const Bytes reply = image.answer(read_request(place.table, place.address, place.size()));
    if ((reply[0] & 0x80) != 0) return Error{Fault::exception, "refused", reply[1]};
    if (holds_bits(place.table)) return std::vector<std::uint16_t>{reply[2]};
    return response_registers(reply);
  };
}

const Candidate& profile(const std::string& id) {
  for (const Candidate& each : shipped()) {
    if (each.id == id) return each;
  }
  FAIL("there is no profile " << id);
  return shipped().front();
}

std::vector<Fit> all_fits(RegisterImage& image) {
  CachedReads read(read_from(image));
  std::vector<Fit> fits;
  for (const Candidate& each : shipped()) {
    Fit fit = try_profile(each, read);
    if (fit.grade != Grade::none) fits.push_back(std::move(fit));
  }
  rank(fits);
  return fits;
}

/// An SDM120 under load: what its manual lists, as floats.
RegisterImage sdm120() {
  RegisterImage image;
  const std::pair<std::uint16_t, double> values[] = {
      {0, 231.2},  {6, 4.31},    {12, 985.4}, {18, 996.1}, {24, -140.2}, {30, 0.989},   {36, -8.1},
      {70, 50.02}, {72, 1834.2}, {74, 0.0},   {76, 12.11}, {78, 410.9},  {342, 1834.2}, {344, 423.0}};
  for (const auto& [address, value] : values) image.set_float32(Table::input, address, value);
  return image;
}

}  // namespace

TEST_CASE("every shipped Modbus profile can be tried, with its factory settings") {
  CHECK(shipped().size() > 50);
  CHECK(setting_text(profile("eastron-sdm120").line) == "2400 8N1");
  CHECK(profile("senseair-s8").unit == 254);
  CHECK(profile("xy-md02").points.size() == 4);
  CHECK(profile("xy-md02").points[0].place.address == 1);
}

TEST_CASE("a meter's own profile fits best, and the count of values is reported") {
  RegisterImage image = sdm120();
  const auto fits = all_fits(image);
  REQUIRE_FALSE(fits.empty());
  CHECK(fits.front().profile == "eastron-sdm120");
  CHECK(fits.front().grade == Grade::good);
  CHECK(fit_text(fits.front()) == "14 of 14 values plausible");
}

TEST_CASE("a sensor of two registers is reported as a weak fit") {
  RegisterImage image;
  image.set_scaled(Table::input, 1, 21.5, 0.1);
  image.set_scaled(Table::input, 2, 45.2, 0.1);
  const auto fits = all_fits(image);
  REQUIRE_FALSE(fits.empty());
  CHECK(fits.front().profile == "xy-md02");
  CHECK(fits.front().grade == Grade::likely);
  CHECK(fits.front().no_value == 2);  // settings that this one lacks
  CHECK(fit_text(fits.front()) == "2 of 2 values plausible");
}

TEST_CASE("a device that no profile describes is not given one that half fits") {
  // The energy meter of the demo: floats where others have scaled integers, and a hundred profiles that are not its
  // own.
  RegisterImage image = simulation::energy_meter(1, 5).image;
  for (const Fit& fit : all_fits(image)) {
    INFO(fit.profile << ": " << fit_text(fit) << ", " << fit.evidence);
    CHECK(fit.grade <= Grade::weak);
  }
  RegisterImage boiler = simulation::boiler(1, 5).image;
  for (const Fit& fit : all_fits(boiler)) {
    INFO(fit.profile << ": " << fit_text(fit) << ", " << fit.evidence);
    CHECK(fit.grade <= Grade::weak);
  }
}

TEST_CASE("a device with zero in every register fits nothing more than weakly") {
  CachedReads read([](const RegisterPoint& place) -> Result<std::vector<std::uint16_t>> {
    return std::vector<std::uint16_t>(place.size(), 0);
  });
  for (const Candidate& each : shipped()) {
    const Fit fit = try_profile(each, read);
    INFO(each.id << ": " << fit_text(fit) << ", " << fit.evidence);
    CHECK(fit.grade <= Grade::weak);
  }
}

TEST_CASE("the same number in every register counts once") {
  for (const int number : {1, 50, 230, 500, 2300, 0x4248}) {
    CachedReads read([number](const RegisterPoint& place) -> Result<std::vector<std::uint16_t>> {
      return std::vector<std::uint16_t>(place.size(), static_cast<std::uint16_t>(number));
    });
    for (const Candidate& each : shipped()) {
      const Fit fit = try_profile(each, read);
      INFO(number << ", " << each.id << ": " << fit_text(fit) << ", " << fit.evidence);
      CHECK(fit.grade < Grade::good);
    }
  }
}

TEST_CASE("a device that refuses everything gets few requests, and fits nothing") {
  RegisterImage nothing;
  unsigned asked = 0;
  CachedReads read(read_from(nothing, &asked));
  for (const Candidate& each : shipped()) CHECK(try_profile(each, read).grade == Grade::none);
  CHECK(asked <= 3 * shipped().size());
}

TEST_CASE("a missing register and an unusual value are evidence against, a missing setting is not") {
  Candidate candidate = frequency_meter(5);
  RegisterImage image;
  const auto evidence = [&] {
    CachedReads read(read_from(image));
    return try_profile(candidate, read).evidence;
  };
  for (std::uint16_t i = 0; i < 4; ++i) image.set(Table::input, i, static_cast<std::uint16_t>(5000 + i));
  const double missing = evidence();
  candidate.points[4].point.writable = true;
  const double missing_setting = evidence();
  CHECK(missing_setting == Approx(missing + 3.0));
  image.set(Table::input, 4, 5500);
  const double unusual_not_yet = evidence();
  image.set(Table::input, 4, 9000);
  CHECK(evidence() == Approx(missing_setting - 3.0));
  CHECK(unusual_not_yet > missing_setting);
}

TEST_CASE("what was read once is not read again") {
  RegisterImage image = sdm120();
  unsigned asked = 0;
  CachedReads read(read_from(image, &asked));
  const Fit first = try_profile(profile("eastron-sdm120"), read);
  const unsigned once = asked;
  CHECK(try_profile(profile("eastron-sdm120"), read) == first);
  CHECK(asked == once);
}

TEST_CASE("a device that stops responding gets no more requests") {
  unsigned asked = 0;
  CachedReads read([&](const RegisterPoint&) -> Result<std::vector<std::uint16_t>> {
    ++asked;
    return Error{Fault::timeout, "no response"};
  });
  const Fit fit = try_profile(profile("eastron-sdm630"), read);
  CHECK(asked == 2);
  CHECK(fit.unanswered == 2);
  CHECK(fit.grade == Grade::none);
}

TEST_CASE("of a long profile the points with the most evidence are read, from all registers") {
  const std::string id = "eastron-sdm630";
  const Candidate& long_one = profile(id);
  REQUIRE(long_one.points.size() > 20);
  const auto points = best_points(long_one, 20);
  REQUIRE(points.size() == 20);
  for (std::size_t i = 1; i < points.size(); ++i) {
    CHECK(std::pair(points[i - 1]->place.table, points[i - 1]->place.address) <
          std::pair(points[i]->place.table, points[i]->place.address));
  }
  CHECK(std::count_if(points.begin(), points.end(), [](const auto* each) { return each->point.kind.empty(); }) == 0);
}

TEST_CASE("the maker's name in the device's own words breaks a tie") {
  const std::vector<std::string> words{"Schneider Electric", "iEM3155"};
  CHECK(names_maker(profile("schneider-iem3155"), words));
  CHECK_FALSE(names_maker(profile("eastron-sdm120"), words));
  CHECK_FALSE(names_maker(profile("xy-md02"), std::vector<std::string>{"a generic thing"}));
  Fit one;
  one.profile = "one";
  one.grade = Grade::likely;
  one.evidence = 12.0;
  Fit named = one;
  named.profile = "named";
  named.evidence = 10.0;
  named.identified = true;
  Fit good = one;
  good.profile = "good";
  good.grade = Grade::good;
  std::vector<Fit> fits{one, named, good};
  rank(fits);
  CHECK(fits[0].profile == "good");
  CHECK(fits[1].profile == "named");
}

TEST_CASE("the evidence against a profile is reported with it") {
  Fit fit;
  fit.grade = Grade::weak;
  fit.plausible = 9;
  fit.refused = 2;
  fit.implausible = 1;
  fit.against = "frequency = 0.3 Hz";
  CHECK(fit_text(fit) ==
        "9 of 12 values plausible, 2 not there, 1 impossible (frequency = 0.3 Hz); weak evidence, such values fit "
        "many "
        "devices");
}
