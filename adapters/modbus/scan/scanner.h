#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "adapters/modbus/scan/profile_fit.h"
#include "adapters/modbus/scan/search_order.h"
#include "adapters/modbus/scan/unit_probe.h"

namespace baudbridge::scan {

/// One device that responded.
struct FoundUnit {
  std::uint8_t unit = 0;
  LineSetting setting;
  std::string answered;           ///< "holding register 0", or the refusal
  std::optional<Table> readable;  ///< the table whose register 0 it gave
  Duration response{};
  bool slow = false;  ///< it responded after the timeout
  std::string doubt;  ///< why there may be two devices, or a bad line
  Identification identification;
  std::vector<Fit> fits;    ///< with evidence, the best first
  bool fits_known = false;  ///< all profiles were tried
};

/// A unit id whose responses cannot be read.
struct GarbledUnit {
  std::uint8_t unit = 0;
  LineSetting setting;
  std::string what;
};

/// What a search found.
struct ScanReport {
  std::vector<FoundUnit> found;
  std::vector<GarbledUnit> garbled;
  std::vector<std::string> notes;  ///< messages, in order
  std::vector<LineSetting> tried;  ///< settings at which requests were sent
  bool complete = false;           ///< the whole search was made
  bool echo = false;               ///< the line gives back what is sent
  bool responds_to_all = false;    ///< one device for every unit id
  bool gateway = false;            ///< a gateway responded that there is no device behind it
  std::optional<Error> error;      ///< why the search could not go on
};

/// Where the search stands.
struct Progress {
  std::string doing;  ///< "9600 8N1: unit 17"
  std::size_t found = 0;
  Duration left{};  ///< at most, for this pass
};

/// Makes a master for a setting; not opened yet.
using MakeLine = std::function<OpenLine(const LineSetting&)>;
/// Called often, from the thread that scans.
using ReportProgress = std::function<void(const Progress&)>;

/// Searches a line or an endpoint for Modbus devices, identifies them and finds their profiles.
/// Threads: run() from the caller; a stop may be requested from any (with wake_fd made readable).
class Scanner {
 public:
  Scanner(SearchOrder order, MakeLine make_line, std::span<const Candidate> known, ReportProgress report_progress,
          std::stop_token stop, int wake_fd)
      : order_(std::move(order)),
        make_line_(std::move(make_line)),
        known_(known),
        report_progress_(std::move(report_progress)),
        stop_(std::move(stop)),
        wake_fd_(wake_fd) {}

  ScanReport run();

 private:
  /// The tables that a pass probes of each unit.
  enum class ProbedTables { one, both };

  [[nodiscard]] bool ended() const { return stop_.stop_requested() || report_.error.has_value(); }
  bool open(const LineSetting& setting);
  void listen_first();
  void search();
  /// Probes these units at this setting; until one has responded, if `until_first`.
  void pass(const LineSetting& setting, std::span<const std::uint8_t> units, ProbedTables probed, bool until_first);
  /// Probes all units at this setting, then identifies those that responded.
  void complete(const LineSetting& setting);
  /// True: the next unit can be probed.
  bool probe_unit(const LineSetting& setting, std::uint8_t unit, Table table, Duration timeout);
  void note_found(const LineSetting& setting, std::uint8_t unit, Table table, const ProbeResult& result);
  void note_garbled(const LineSetting& setting, std::uint8_t unit, const std::string& what);
  void probe_late_units(const LineSetting& setting);
  bool reopen_after(const Error& error);
  bool responds_to_all(const LineSetting& setting);
  void identify_unit(FoundUnit& unit);
  void fit_profiles(FoundUnit& unit);
  Result<std::vector<std::uint16_t>> read_point(std::uint8_t unit, Duration timeout, const RegisterPoint& place);
  [[nodiscard]] bool has_matched(const std::string& profile) const;
  /// The profiles in the order in which they are tried.
  [[nodiscard]] std::vector<const Candidate*> matched_first() const;
  /// Ranks, drops fits without evidence, and keeps the profiles for the next unit.
  void keep_best(std::vector<Fit>& fits);
  [[nodiscard]] FoundUnit* find(const LineSetting& setting, std::uint8_t unit);
  [[nodiscard]] std::size_t found_at(const LineSetting& setting) const;
  void report_progress(std::string doing, Duration left) {
    report_progress_({std::move(doing), report_.found.size(), left});
  }
  [[nodiscard]] std::string setting_prefix(const LineSetting& setting) const;
  [[nodiscard]] UnitProbe probe(std::uint8_t unit, Duration timeout);

  SearchOrder order_;
  MakeLine make_line_;
  std::span<const Candidate> known_;
  ReportProgress report_progress_;
  std::stop_token stop_;
  int wake_fd_;

  ScanReport report_;
  OpenLine line_;
  std::optional<LineSetting> open_;
  std::optional<Error> open_error_;                                ///< of the first setting that could not be opened
  std::set<std::tuple<std::string, std::uint8_t, Table>> probed_;  ///< setting, unit, table
  std::vector<std::string> matched_;                               ///< profiles that fitted earlier units
  unsigned garbled_in_a_row_ = 0;
  unsigned gone_in_a_row_ = 0;
  bool listened_ = false;
};

}  // namespace baudbridge::scan
