#include "adapters/modbus/scan/scanner.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace baudbridge::scan {
namespace {

using namespace std::chrono_literals;

constexpr Duration kListenFirst = 700ms;  ///< before the first request
constexpr Duration kMostLate = 10s;       ///< a device slower than this is of no use
constexpr Duration kShortestFitTimeout = 300ms;
constexpr unsigned kGarbledTooOften = 6;  ///< in a row: this is no bus with these settings
constexpr unsigned kGoneTooOften = 4;
constexpr unsigned kSilentProfiles = 3;  ///< in a row: the device has stopped responding
constexpr std::size_t kMostWeakFits = 2;
constexpr std::size_t kMostFits = 5;  ///< reported of one device
constexpr std::size_t kShownBytes = 16;
constexpr std::array<Table, 2> kTables{Table::holding, Table::input};
/// Ids that are hardly ever used: a device that responds to all of these responds to every id.
constexpr std::array<std::uint8_t, 3> kUnlikelyUnits{113, 201, 223};
constexpr std::size_t kManyUnits = 20;  ///< with fewer this is not checked

}  // namespace

std::string Scanner::setting_prefix(const LineSetting& setting) const {
  return order_.serial ? setting_text(setting) + ": " : "";
}

UnitProbe Scanner::probe(std::uint8_t unit, Duration timeout) {
  return {line_, unit, timeout, stop_, wake_fd_};
}

FoundUnit* Scanner::find(const LineSetting& setting, std::uint8_t unit) {
  const auto found = std::find_if(report_.found.begin(), report_.found.end(),
                                  [&](const FoundUnit& each) { return each.unit == unit && each.setting == setting; });
  return found == report_.found.end() ? nullptr : &*found;
}

std::size_t Scanner::found_at(const LineSetting& setting) const {
  return static_cast<std::size_t>(std::count_if(report_.found.begin(), report_.found.end(),
                                                [&](const FoundUnit& each) { return each.setting == setting; }));
}

ScanReport Scanner::run() {
  search();
  if (!report_.error && report_.tried.empty() && open_error_) report_.error = open_error_;
  report_.complete = !ended();
  // Sorted by unit id within one setting.
  std::stable_sort(report_.found.begin(), report_.found.end(), [&](const FoundUnit& a, const FoundUnit& b) {
    const auto place = [&](const FoundUnit& each) {
      return std::pair(std::find(report_.tried.begin(), report_.tried.end(), each.setting), each.unit);
    };
    return place(a) < place(b);
  });
  if (line_.client) line_.client->close();
  line_ = {};
  return std::move(report_);
}

void Scanner::search() {
  const auto& settings = order_.settings;
  const std::span<const std::uint8_t> units(order_.units);
  const auto likely = units.first(order_.likely);
  const auto rest = units.subspan(order_.likely);
  if (settings.size() > 1 && !order_.all_settings) {
    for (const auto part : {likely, rest}) {
      for (const LineSetting& setting : settings) {
        if (ended()) return;
        pass(setting, part, ProbedTables::one, true);
        if (found_at(setting) == 0) continue;
        complete(setting);
        if (!ended() && settings.size() > report_.tried.size()) {
          report_.notes.push_back("found at " + setting_text(setting) +
                                  "; the other line settings were left out, since a bus has only one "
                                  "(--all-settings tries them as well)");
        }
        return;
      }
    }
    return;
  }
  for (const LineSetting& setting : settings) {
    if (ended()) return;
    complete(setting);
  }
}

bool Scanner::open(const LineSetting& setting) {
  if (open_ == setting) return true;
  if (line_.client) line_.client->close();
  open_.reset();
  line_ = make_line_(setting);
  report_progress(setting_prefix(setting) + "opening", Duration::zero());
  if (const auto opened = line_.client->open(); !opened) {
    if (!open_error_) open_error_ = opened.error();
    // A missing port is missing at any speed; a port that refuses a speed may support others.
    const Fault kind = opened.error().kind;
    const bool other_setting_may_work = kind == Fault::io || kind == Fault::in_use;
    if (!other_setting_may_work || report_.tried.empty()) {
      if (!other_setting_may_work) report_.error = opened.error();
    } else {
      report_.notes.push_back("not tried: " + opened.error().what);
    }
    return false;
  }
  open_ = setting;
  garbled_in_a_row_ = 0;
  if (std::find(report_.tried.begin(), report_.tried.end(), setting) == report_.tried.end()) {
    report_.tried.push_back(setting);
  }
  if (!listened_ && line_.listener) listen_first();
  return !ended();
}

void Scanner::listen_first() {
  listened_ = true;
  report_progress("listening", kListenFirst);
  (void)line_.listener->take_count();
  if (const auto listened = line_.listener->listen(kListenFirst, stop_, wake_fd_); !listened) {
    report_.error = listened.error();
    return;
  }
  const std::size_t count = line_.listener->take_count();
  if (count == 0) return;
  const Bytes& bytes = line_.listener->latest();
  if (count_requests(bytes) > 0) {
    report_.notes.push_back(
        "another Modbus master sends requests on this line: stop it during the scan, so that its responses are not "
        "taken for those of the scan");
  } else {
    report_.notes.push_back("the line is not silent, " + std::to_string(count) +
                            " bytes were received before the first request: another master, or an unsolicited device "
                            "(adapter = \"serial\" reads those): " +
                            hex_text(bytes, kShownBytes));
  }
}

void Scanner::pass(const LineSetting& setting, std::span<const std::uint8_t> units, ProbedTables probed,
                   bool until_first) {
  if (units.empty() || !open(setting)) return;
  const Duration each = probe_time(order_, setting);
  const auto tables = std::span(kTables).first(probed == ProbedTables::both ? 2 : 1);
  for (std::size_t t = 0; t < tables.size(); ++t) {
    for (std::size_t i = 0; i < units.size(); ++i) {
      const auto left = static_cast<long>((tables.size() - t) * units.size() - i);
      report_progress(setting_prefix(setting) + "unit " + std::to_string(units[i]), each * left);
      if (find(setting, units[i]) != nullptr) continue;
      if (!probed_.emplace(setting_text(setting), units[i], tables[t]).second) continue;
      // No request follows the last one, so its late response needs a longer timeout.
      const bool last = i + 1 == units.size();
      if (!probe_unit(setting, units[i], tables[t], last ? late_timeout(order_.timeout) : order_.timeout)) return;
      if (until_first && found_at(setting) > 0) return;
    }
  }
}

void Scanner::complete(const LineSetting& setting) {
  if (!open(setting)) return;
  const std::span<const std::uint8_t> units(order_.units);
  pass(setting, units.first(order_.likely), ProbedTables::both, false);
  if (ended()) return;
  if (responds_to_all(setting)) {
    report_.responds_to_all = true;
    // The first one stands for all.
    bool first = true;
    std::erase_if(report_.found,
                  [&](const FoundUnit& each) { return each.setting == setting && !std::exchange(first, false); });
  } else if (!ended()) {
    pass(setting, units.subspan(order_.likely), ProbedTables::both, false);
  }
  for (FoundUnit& unit : report_.found) {
    if (ended()) return;
    if (unit.setting == setting && !unit.fits_known) identify_unit(unit);
  }
}

bool Scanner::responds_to_all(const LineSetting& setting) {
  if (order_.units.size() < kManyUnits || found_at(setting) == 0) return false;
  return std::all_of(kUnlikelyUnits.begin(), kUnlikelyUnits.end(), [&](std::uint8_t unit) {
    if (std::find(order_.units.begin(), order_.units.end(), unit) == order_.units.end()) return false;
    if (find(setting, unit) != nullptr) return true;
    probed_.emplace(setting_text(setting), unit, Table::holding);
    return probe_unit(setting, unit, Table::holding, order_.timeout) && find(setting, unit) != nullptr;
  });
}

bool Scanner::probe_unit(const LineSetting& setting, std::uint8_t unit, Table table, Duration timeout) {
  UnitProbe unit_probe = probe(unit, timeout);
  ProbeResult result = unit_probe.probe(table);
  if (result.presence == Presence::garbled) result = unit_probe.probe(table);
  report_.gateway = report_.gateway || result.gateway;
  report_.echo = report_.echo || result.echo;
  if (result.presence != Presence::gone) gone_in_a_row_ = 0;
  if (result.presence != Presence::garbled) garbled_in_a_row_ = 0;
  switch (result.presence) {
    case Presence::there:
      note_found(setting, unit, table, result);
      break;
    case Presence::garbled:
      note_garbled(setting, unit, result.what);
      if (++garbled_in_a_row_ >= kGarbledTooOften) {
        report_.notes.push_back(
            setting_prefix(setting) + "left after " + std::to_string(garbled_in_a_row_) +
            " garbled responses in a row: wrong line settings, noise, or another master on the line");
        return false;
      }
      break;
    case Presence::gone:
      return reopen_after(Error{Fault::unplugged, result.what});
    case Presence::stopped:
      return !ended();
    case Presence::silent:
      break;
  }
  probe_late_units(setting);
  return !ended();
}

bool Scanner::reopen_after(const Error& error) {
  // Some TCP devices close the connection on a unit id that is not theirs.
  if (order_.serial || ++gone_in_a_row_ >= kGoneTooOften) {
    report_.error = error;
    return false;
  }
  if (const auto opened = line_.client->open(); !opened) {
    report_.error = opened.error();
    return false;
  }
  return !ended();
}

void Scanner::probe_late_units(const LineSetting& setting) {
  for (const LateResponse& late : line_.client->take_late()) {
    const auto listed = std::find(order_.units.begin(), order_.units.end(), late.unit) != order_.units.end();
    if (!listed || find(setting, late.unit) != nullptr) continue;
    UnitProbe again = probe(late.unit, std::max(late_timeout(order_.timeout), std::min(2 * late.took, kMostLate)));
    ProbeResult result = again.probe(Table::holding);
    result.response = std::max(result.response, late.took);
    if (result.presence != Presence::there) continue;
    note_found(setting, late.unit, Table::holding, result);
  }
}

void Scanner::note_found(const LineSetting& setting, std::uint8_t unit, Table table, const ProbeResult& result) {
  if (find(setting, unit) != nullptr) return;
  FoundUnit found;
  found.unit = unit;
  found.setting = setting;
  found.answered = result.what;
  if (result.value) found.readable = table;
  found.response = result.response;
  found.slow = result.response > order_.timeout;
  report_.found.push_back(std::move(found));
  std::erase_if(report_.garbled, [&](const GarbledUnit& each) { return each.unit == unit && each.setting == setting; });
}

void Scanner::note_garbled(const LineSetting& setting, std::uint8_t unit, const std::string& what) {
  const bool known = std::any_of(report_.garbled.begin(), report_.garbled.end(),
                                 [&](const GarbledUnit& each) { return each.unit == unit && each.setting == setting; });
  if (!known) report_.garbled.push_back({unit, setting, what});
}

void Scanner::identify_unit(FoundUnit& unit) {
  const std::string who = setting_prefix(unit.setting) + "unit " + std::to_string(unit.unit);
  report_progress(who + ": identifying", Duration::zero());
  UnitProbe unit_probe = probe(unit.unit, std::max({kShortestFitTimeout, order_.timeout, 2 * unit.response}));
  unit.doubt = unit_probe.find_double(unit.readable.value_or(Table::holding));
  if (!unit.readable && !ended()) {
    // It refused register 0 of this table; it may have the other table.
    const ProbeResult other = unit_probe.probe(Table::input);
    if (other.presence == Presence::there && other.value) {
      unit.readable = Table::input;
      unit.answered = other.what;
    }
  }
  if (!ended()) unit.identification = unit_probe.identify();
  if (!ended()) fit_profiles(unit);
}

Result<std::vector<std::uint16_t>> Scanner::read_point(std::uint8_t unit, Duration timeout,
                                                       const RegisterPoint& place) {
  const auto response = probe(unit, timeout).transact(read_request(place.table, place.address, place.size()), 1);
  if (!response) return response.error();
  if (!holds_bits(place.table)) return response_registers(response->pdu);
  return std::vector<std::uint16_t>{response_bits(response->pdu, 1)[0] ? std::uint16_t{1} : std::uint16_t{0}};
}

bool Scanner::has_matched(const std::string& profile) const {
  return std::find(matched_.begin(), matched_.end(), profile) != matched_.end();
}

std::vector<const Candidate*> Scanner::matched_first() const {
  std::vector<const Candidate*> candidates;
  for (const Candidate& each : known_) candidates.push_back(&each);
  std::stable_partition(candidates.begin(), candidates.end(), [&](const auto* each) { return has_matched(each->id); });
  return candidates;
}

void Scanner::keep_best(std::vector<Fit>& fits) {
  std::erase_if(fits, [](const Fit& fit) { return fit.grade == Grade::none; });
  rank(fits);
  const bool weak = !fits.empty() && fits.front().grade == Grade::weak;
  if (!weak) std::erase_if(fits, [](const Fit& fit) { return fit.grade == Grade::weak; });
  fits.resize(std::min(fits.size(), weak ? kMostWeakFits : kMostFits));
  for (const Fit& fit : fits) {
    if (!weak && !has_matched(fit.profile)) matched_.push_back(fit.profile);
  }
}

void Scanner::fit_profiles(FoundUnit& unit) {
  const std::string who = setting_prefix(unit.setting) + "unit " + std::to_string(unit.unit) + ": profile ";
  const Duration timeout = std::max({kShortestFitTimeout, order_.timeout, 2 * unit.response});
  CachedReads read([&](const RegisterPoint& place) { return read_point(unit.unit, timeout, place); });
  std::vector<std::string> words;
  for (const auto& [object, text] : unit.identification) words.push_back(text);
  const auto candidates = matched_first();
  unsigned silent = 0;
  bool good = false;
  std::size_t done = 0;
  for (const Candidate* each : candidates) {
    const bool matched = has_matched(each->id);
    if (good && !matched) break;  // a bus mostly has several of a kind
    report_progress(who + std::to_string(++done) + " of " + std::to_string(candidates.size()), Duration::zero());
    Fit fit = try_profile(*each, read);
    if (ended()) return keep_best(unit.fits);
    fit.identified = names_maker(*each, words);
    fit.factory_line = order_.serial && each->line == unit.setting;
    good = good || (matched && fit.grade == Grade::good);
    silent = fit.asked > 0 && fit.unanswered == fit.asked ? silent + 1 : 0;
    unit.fits.push_back(std::move(fit));
    if (silent < kSilentProfiles) continue;
    report_.notes.push_back("unit " + std::to_string(unit.unit) + " stopped responding while profiles were tried");
    break;
  }
  keep_best(unit.fits);
  unit.fits_known = true;
}

}  // namespace baudbridge::scan
