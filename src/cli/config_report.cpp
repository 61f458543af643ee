#include "src/cli/config_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <memory>

#include "bridge/json_text.h"
#include "src/cli/text_table.h"

namespace baudbridge {

void print_problems(const Config& config) {
  for (const auto& problem : config.problems) std::cerr << printable(problem.text()) << '\n';
  const auto count = std::count_if(config.problems.begin(), config.problems.end(),
                                   [](const Problem& problem) { return !problem.warning; });
  if (count == 1) std::cerr << config.file << ": 1 problem\n";
  if (count > 1) std::cerr << config.file << ": " << count << " problems\n";
}

std::string problems_json(const Config& config) {
  std::string json = "[";
  for (const auto& problem : config.problems) {
    if (json.size() > 1) json += ',';
    JsonObject object(json);
    object.text("file", problem.place.file ? *problem.place.file : "");
    object.number("line", problem.place.line).number("column", problem.place.column);
    object.flag("warning", problem.warning).text("text", problem.what);
    object.close();
  }
  return json + "]";
}

std::string percent_text(double share) {
  constexpr double kWholeFrom = 10.0;
  const double percent = share * 100.0;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), percent < kWholeFrom ? "%.1f %%" : "%.0f %%", percent);
  return text.data();
}

namespace {

/// A bus whose polls and other masters together may need more time than there is.
void add_share_warning(Config& config, const BusPlan& bus) {
  if (!bus.sharing || bus.load < 0.0 || bus.load + bus.sharing->share <= 1.0) return;
  const auto left = static_cast<int>((1.0 - bus.load) * 100.0);
  config.problems.push_back({Place{std::make_shared<const std::string>(config.file)},
                             "bus \"" + bus.id + "\" is busy " + percent_text(bus.load) +
                                 " of the time with its own polls, and serve_share lets other masters use " +
                                 percent_text(bus.sharing->share) +
                                 " of it: meanwhile its points are read less often than configured. " +
                                 (left > 0 ? "Set `serve_share` to at most " + std::to_string(left)
                                           : std::string("Increase `every`, or read fewer points (`only`)")),
                             true});
}

}  // namespace

void add_load_warnings(Config& config) {
  for (const auto& bus : config.buses) {
    if (bus.load <= 1.0) {
      add_share_warning(config, bus);
      continue;
    }
    const std::string detail = bus.load_detail.empty() ? "" : " (" + bus.load_detail + ")";
    config.problems.push_back({Place{std::make_shared<const std::string>(config.file)},
                               "bus \"" + bus.id + "\" would be busy " + percent_text(bus.load) + " of the time" +
                                   detail +
                                   ": its points are read less often than configured. Increase `every`, read "
                                   "fewer points (`only`), or set a higher `baud`",
                               true});
  }
}

std::optional<Config> load_good_config(const Options& options) {
  Config config = load_config(options.config_file);
  if (config.good()) return config;
  print_problems(config);
  return std::nullopt;
}

std::optional<Config> load_service_config(const Options& options) {
  Config config = load_config(options.config_file);
  if (config.readable || !options.config_file) return config;
  print_problems(config);
  return std::nullopt;
}

}  // namespace baudbridge
