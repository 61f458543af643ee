#pragma once
// Searches a line or an endpoint for Modbus devices, and looks at those it finds.
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

/// One device that answered.
struct FoundUnit {
  std::uint8_t unit = 0;
  LineSetting setting;
  std::string answered;           ///< "holding register 0", or the refusal
  std::optional<Table> readable;  ///< the table whose register 0 it gave
  Duration response{};
  bool slow = false;  ///< it answered when nobody waited any more
  std::string doubt;  ///< what speaks against one sound device there
  Identification identification;
  std::vector<Fit> fits;    ///< those that say something, the best first
  bool fits_known = false;  ///< it was looked at to the end
};

/// Something that is no device, or none that can be read.
struct GarbledUnit {
  std::uint8_t unit = 0;
  LineSetting setting;
  std::string what;
};

/// What a search found.
struct ScanReport {
  std::vector<FoundUnit> found;
  std::vector<GarbledUnit> garbled;
  std::vector<std::string> notes;  ///< for people, in the order of things
  std::vector<LineSetting> tried;  ///< settings at which somebody was asked
  bool complete = false;           ///< all that was ordered was done
  bool echo = false;               ///< the line gives back what is sent
  bool answers_to_all = false;     ///< one device for every unit id
  bool gateway = false;            ///< a gateway said that there is nobody behind it
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
using TellProgress = std::function<void(const Progress&)>;

/// Threads: run() is the caller's; a stop is asked for from any (and wake_fd made readable).
class Scanner {
 public:
  Scanner(SearchOrder order, MakeLine make_line, std::span<const Candidate> known, TellProgress tell,
          std::stop_token stop, int wake_fd)
      : order_(std::move(order)),
        make_line_(std::move(make_line)),
        known_(known),
        tell_(std::move(tell)),
        stop_(std::move(stop)),
        wake_fd_(wake_fd) {}

  ScanReport run();

 private:
  /// What a pass asks each unit.
  enum class Questions { one, both };

  [[nodiscard]] bool ended() const { return stop_.stop_requested() || report_.error.has_value(); }
  bool open(const LineSetting& setting);
  void listen_first();
  void search();
  /// Asks these units at this setting; until one has answered, if `until_first`.
  void pass(const LineSetting& setting, std::span<const std::uint8_t> units, Questions questions, bool until_first);
  /// Everybody at this setting, and then a closer look at those who are there.
  void complete(const LineSetting& setting);
  /// True: the next unit can be asked.
  bool ask_unit(const LineSetting& setting, std::uint8_t unit, Table table, Duration timeout);
  void note_found(const LineSetting& setting, std::uint8_t unit, Table table, const Heard& heard);
  void note_garbled(const LineSetting& setting, std::uint8_t unit, const std::string& what);
  void ask_late_ones(const LineSetting& setting);
  bool survive(const Error& error);
  bool answers_to_all(const LineSetting& setting);
  void look_closer(FoundUnit& unit);
  void fit_profiles(FoundUnit& unit);
  Result<std::vector<std::uint16_t>> read_point(std::uint8_t unit, Duration timeout, const RegisterPoint& place);
  [[nodiscard]] bool is_liked(const std::string& profile) const;
  /// The profiles in the order in which they are tried.
  [[nodiscard]] std::vector<const Candidate*> liked_first() const;
  /// Ranks, drops what says nothing, and remembers the rest for the next unit.
  void keep_best(std::vector<Fit>& fits);
  [[nodiscard]] FoundUnit* find(const LineSetting& setting, std::uint8_t unit);
  [[nodiscard]] std::size_t found_at(const LineSetting& setting) const;
  void tell(std::string doing, Duration left) { tell_({std::move(doing), report_.found.size(), left}); }
  [[nodiscard]] std::string setting_prefix(const LineSetting& setting) const;
  [[nodiscard]] UnitProbe probe(std::uint8_t unit, Duration timeout);

  SearchOrder order_;
  MakeLine make_line_;
  std::span<const Candidate> known_;
  TellProgress tell_;
  std::stop_token stop_;
  int wake_fd_;

  ScanReport report_;
  OpenLine line_;
  std::optional<LineSetting> open_;
  std::optional<Error> open_error_;                               ///< of the first setting that could not be opened
  std::set<std::tuple<std::string, std::uint8_t, Table>> asked_;  ///< setting, unit, table
  std::vector<std::string> liked_;                                ///< profiles that fitted earlier units
  unsigned garbled_in_a_row_ = 0;
  unsigned gone_in_a_row_ = 0;
  bool listened_ = false;
};

}  // namespace baudbridge::scan
