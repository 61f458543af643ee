// How near the Modbus engine comes to what the wire allows: the runner, the schedule and the adapter as the gateway
// runs them, on a simulated line that takes the real time of 19200 baud, and on a fast TCP server. Prints each figure
// with its goal; without a name all of them, in under five minutes. Exit status 1: a goal was missed.
//
//   modbus_bench [--seconds N] [w1|w2|w2five|w3|w4|w5|w6late|w6damage|w7]...
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "bench/modbus_cases.h"

using namespace baudbridge;
using namespace baudbridge::bench;

namespace {

constexpr int kPriority = 10;

/// On a machine that is busy with other things threads are woken too late for the wire, ours and the simulated line's.
bool take_priority() {
  sched_param wanted{};
  wanted.sched_priority = kPriority;
  return ::sched_setscheduler(0, SCHED_FIFO, &wanted) == 0 || ::sched_getscheduler(0) == SCHED_FIFO;
}

void print(const std::string& name, const Figure& figure) {
  std::printf("%-9s %-52s %-16s %-26s %-26s %s\n", name.c_str(), figure.what.c_str(), figure.minimum.c_str(),
              figure.goal.c_str(), figure.result.c_str(), figure.reached ? "reached" : "MISSED");
  std::printf("%-9s %s\n", "", figure.detail.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
  std::optional<Duration> seconds;
  std::vector<std::string> names;
  const auto& cases = modbus_cases();
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(words[i], "--seconds") == 0 && i + 1 < count) {
      seconds = std::chrono::seconds(std::strtol(words[++i], nullptr, 10));
    } else if (cases.contains(words[i])) {
      names.emplace_back(words[i]);
    } else {
      std::fprintf(stderr, "modbus_bench [--seconds N] [");
      for (const auto& [name, each] : cases) std::fprintf(stderr, "%s%s", name == "w1" ? "" : "|", name.c_str());
      std::fprintf(stderr, "]...\n");
      return 2;
    }
  }
  if (names.empty()) {
    for (const auto& [name, each] : cases) names.push_back(name);
  }
  std::printf("%s\n", take_priority() ? "at real-time priority"
                                      : "at normal priority (as root it is real-time): figures on the wire suffer from "
                                        "whatever else this machine does");
  std::printf("%-9s %-52s %-16s %-26s %-26s\n", "case", "what", "minimum", "goal", "result");
  std::size_t reached = 0;
  for (const std::string& name : names) {
    const Case& each = cases.at(name);
    const Figure figure = each.measure(seconds.value_or(each.lasts));
    print(name, figure);
    if (figure.reached) ++reached;
  }
  std::printf("%zu of %zu goals reached\n", reached, names.size());
  return reached == names.size() ? 0 : 1;
}
