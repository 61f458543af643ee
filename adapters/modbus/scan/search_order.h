#pragma once
// In which order `scan` tries line settings and units, and how long that takes. Pure.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/modbus/scan/candidate.h"
#include "adapters/modbus/scan/line_setting.h"
#include "core/result.h"
#include "core/time.h"

namespace baudbridge::scan {

/// What is to be searched, in the order in which it is done.
struct SearchOrder {
  bool serial = true;                 ///< there is a line setting to be found, and noise
  std::vector<LineSetting> settings;  ///< never empty; of TCP one that means nothing
  std::vector<std::uint8_t> units;    ///< all, the likely ones first
  std::size_t likely = 0;             ///< number of units that are probed first, at every setting
  Duration timeout{};                 ///< for a response to begin
  bool all_settings = false;          ///< go on with the others when one is found
};

/// "9600,19200": numbers within bounds, each once. what: the option's name, for the message.
[[nodiscard]] Result<std::vector<int>> parse_numbers(std::string_view text, const std::string& what, int min, int max);
/// "1-10,20": the same with ranges.
[[nodiscard]] Result<std::vector<int>> parse_ranges(std::string_view text, const std::string& what, int min, int max);
/// "N,E" or "none,even".
[[nodiscard]] Result<std::vector<Parity>> parse_parities(std::string_view text);

/// The default search.
[[nodiscard]] std::vector<int> usual_bauds();
[[nodiscard]] std::vector<Parity> usual_parities();

/// All combinations, the likely ones first: 9600 8N1, 19200 8E1 (the default of the specification), 19200 8N1, 9600 8E1,
/// then by how many known devices leave the factory so, then the order given.
[[nodiscard]] std::vector<LineSetting> ordered_settings(std::span<const int> bauds, std::span<const Parity> parities,
                                                        std::span<const int> stop_bits,
                                                        std::span<const Candidate> known);

/// The units, likely ones first: on a line 1 to 3 and the factory settings of known devices; over TCP 1, 255, 0.
/// likely: how many those are.
[[nodiscard]] std::vector<std::uint8_t> ordered_units(std::span<const int> units, bool tcp,
                                                      std::span<const Candidate> known, std::size_t& likely);

/// At most how long it takes.
struct Estimate {
  Duration likely{};  ///< the likely units at every setting; zero: there is no such pass
  Duration one{};     ///< all units at one setting
  Duration all{};     ///< all units at all settings
};
[[nodiscard]] Estimate estimate(const SearchOrder& order);

/// The timeout of the last unit of a pass, and of a unit that responded late.
[[nodiscard]] Duration late_timeout(Duration timeout);

/// The time of one probe without a response.
[[nodiscard]] Duration probe_time(const SearchOrder& order, const LineSetting& setting);

}  // namespace baudbridge::scan
