#pragma once
// The configuration files, parsed once into plain data: contract section 2.
#include <optional>
#include <string>
#include <vector>

#include "adapters/plan.h"
#include "bridge/broker_config.h"
#include "core/config_tree.h"
#include "core/log.h"
#include "core/settings.h"
#include "offline_queue/queue_config.h"

namespace baudbridge {

/// The values of `[gateway] log_level` and `--log-level`.
[[nodiscard]] const Names<log::Level>& log_level_names();

struct GatewayConfig {
  std::string id;
  log::Level log_level = log::Level::info;
  std::string state_dir;
  std::vector<std::string> profiles;  ///< folders, searched in this order; those shipped with the program come last
};

struct Config {
  std::string file;  ///< the main file
  GatewayConfig gateway;
  BrokerConfig broker;
  PublishConfig publish;
  QueueConfig queue;
  std::vector<BusPlan> buses;

  bool readable = true;             ///< the main file is there, and is TOML
  std::vector<Problem> problems;    ///< in the order of files and lines; warnings among them
  [[nodiscard]] bool good() const;  ///< no problem that is not a warning
};

/// Reads /etc/baudbridge/baudbridge.toml, or `file`, and conf.d/*.toml in its folder, and everything they refer to
/// (profiles, certificates, passwords). Never throws; every problem of every file is in Config::problems.
/// A missing broker is not a problem here: run asks for one (broker.servers.empty(), kUrlsMissing).
[[nodiscard]] Config load_config(const std::optional<std::string>& file);
/// The same from text: no conf.d (simulations, tests).
[[nodiscard]] Config parse_config(const std::string& text, const std::string& name);

}  // namespace baudbridge
