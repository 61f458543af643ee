#pragma once
// What is wrong with a configuration, told to people and to programs.
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
/// The configuration of the service that a command asks: its mistakes do not matter, it says where the service is.
/// Nothing if -c names a file that says nothing at all: its problems have been printed, return kUsage.
[[nodiscard]] std::optional<Config> load_service_config(const Options& options);

}  // namespace baudbridge
