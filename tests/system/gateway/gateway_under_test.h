#pragma once
// The real program on simulated devices, for the tests of this folder.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "src/demo/simulation.h"
#include "support/broker.h"
#include "support/process.h"
#include "support/subscriber.h"
#include "support/temp_dir.h"

namespace baudbridge::testing {

/// A whole number from the environment: how a longer run is asked for.
[[nodiscard]] std::uint64_t from_environment(const char* name, std::uint64_t otherwise);

/// Simulated devices, which live in this process and so outlive the gateway, and the gateway as a child process.
class GatewayUnderTest {
 public:
  /// more: further lines of the configuration.
  explicit GatewayUnderTest(const std::string& broker_url, const std::string& more = "");

  void start(ProcessOptions options = {});
  [[nodiscard]] Process& process() { return *process_; }
  /// False: it ended within that time, by itself.
  bool lives_for(Duration time) { return !process_->wait_for_exit(time).has_value(); }
  /// SIGKILL: no shutdown message.
  void kill();
  /// SIGTERM; the exit status.
  std::optional<int> stop();

  /// Runs a subcommand with this gateway's configuration.
  [[nodiscard]] Finished command(std::vector<std::string> words) const;
  [[nodiscard]] const std::string& config_file() const { return config_file_; }
  [[nodiscard]] std::string state_dir() const { return dir_.file("state"); }
  [[nodiscard]] std::string runtime_dir() const { return runtime_.file("run"); }
  void configure(const std::string& broker_url, const std::string& more);

 private:
  TempDir dir_;
  TempDir runtime_;  ///< on a RAM file system where there is one, as in service
  std::string config_file_;
  std::unique_ptr<simulation::Simulation> devices_;
  std::unique_ptr<Process> process_;
};

/// What a subscriber holds of the records and events, by seq.
struct Ledger {
  std::map<std::uint64_t, std::string> first;  ///< seq -> topic and payload as it first came
  std::uint64_t duplicates = 0;
  std::vector<std::string> altered;  ///< the same seq with another content

  explicit Ledger(const std::vector<Received>& messages);
  [[nodiscard]] std::uint64_t last() const { return first.empty() ? 0 : first.rbegin()->first; }
  /// Those from 1 to `until` that never came.
  [[nodiscard]] std::vector<std::uint64_t> missing(std::uint64_t until) const;
};

}  // namespace baudbridge::testing
