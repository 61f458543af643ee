#pragma once
// Figures of a running process, from proc(5).
#include <sys/types.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace baudbridge::bench {

/// A number of a file of lines "name: number", as /proc/PID/status and /proc/PID/io are; 0: it is not there.
inline std::uint64_t proc_number(const std::string& file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10);
  }
  return 0;
}

/// "VmRSS" (resident now), "VmHWM" (most so far), "RssAnon" (its own, without files such as libraries), in 10^6 bytes.
inline double memory_MB(pid_t pid, const std::string& name) {
  return static_cast<double>(proc_number("/proc/" + std::to_string(pid) + "/status", name)) * 1024 / 1e6;
}

/// Bytes that were to go to a disk because of this process, by pages that it made dirty; RAM file systems do not count.
inline std::uint64_t disk_bytes_written(pid_t pid) {
  return proc_number("/proc/" + std::to_string(pid) + "/io", "write_bytes");
}

/// Seconds of processor time of each thread, by its name; names that are there twice are added up.
inline std::map<std::string, double> thread_cpu_s(pid_t pid) {
  std::map<std::string, double> all;
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", ignored)) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    double nanoseconds = 0.0;
    std::ifstream(task.path() / "schedstat") >> nanoseconds;
    all[name] += nanoseconds / 1e9;
  }
  return all;
}

/// Of this process, threads that have ended included.
inline double process_cpu_s() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0.0 : values[values.size() / 2];
}

/// What stands behind a figure, and whether all goals of this run were reached.
inline bool all_reached = true;
inline const char* verdict(bool reached) {
  all_reached = all_reached && reached;
  return reached ? "" : "   MISSED";
}

/// The smallest one that at least `share` of all do not exceed.
inline double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  const auto place = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  return values[std::min(place, values.size() - 1)];
}

}  // namespace baudbridge::bench
