#pragma once
// The problems of a configuration as text and as JSON.
#include <optional>
#include <string>

#include "src/cli/options.h"
#include "src/config/config.h"

namespace baudbridge {

/// Each problem a line on standard error, and how many there are if there are any that are not warnings.
void print_problems(const Config& config);
/// [{"file":..,"line":..,"column":..,"warning":..,"text":..}]
[[nodiscard]] std::string problems_json(const Config& config);
/// "8.7 %", "123 %"
[[nodiscard]] std::string percent_text(double share);
/// A warning for every bus that cannot be read as often as it is asked for.
void add_load_warnings(Config& config);
/// The configuration that a command works with. Nothing if it has problems: they have been printed, return kUsage.
[[nodiscard]] std::optional<Config> load_good_config(const Options& options);
/// The configuration of the service that a command asks: only the service's place is used, problems do not matter.
/// Nothing if the file of -c cannot be parsed: its problems have been printed, return kUsage.
[[nodiscard]] std::optional<Config> load_service_config(const Options& options);

}  // namespace baudbridge
