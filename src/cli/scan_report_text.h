#pragma once
// What a search found, for people, for a configuration and for programs. Pure.
#include <string>
#include <vector>

#include "adapters/modbus/scan/scanner.h"
#include "adapters/modbus/scan/target.h"

namespace baudbridge::scan {

/// What the texts need besides the report.
struct Searched {
  Target target;
  std::string port_name;  ///< as a configuration should name the port: found again after a replug
  SearchOrder order;
};

/// What will be done and how long it takes at most, before it begins.
[[nodiscard]] std::string plan_text(const Searched& searched);

/// The table of devices with the profiles that fit; no lines if there is none.
[[nodiscard]] std::vector<std::string> device_lines(const ScanReport& report, const Searched& searched);

/// [[bus]] and [[device]], ready to be pasted into a configuration; empty if nothing was found.
[[nodiscard]] std::string config_text(const ScanReport& report, const Searched& searched);

/// What went on besides and what to do about it, a line each.
[[nodiscard]] std::vector<std::string> remark_lines(const ScanReport& report, const Searched& searched);

[[nodiscard]] std::string report_json(const ScanReport& report, const Searched& searched);

/// "19200 8N1: unit 17, 2 found, at most 12 s left", cut to the width of the terminal by its caller.
[[nodiscard]] std::string progress_text(const Progress& progress);

/// "75 s", "16 min": whole units, rounded up.
[[nodiscard]] std::string about(Duration duration);

}  // namespace baudbridge::scan
