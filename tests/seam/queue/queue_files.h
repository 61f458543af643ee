#pragma once
// The queue's files, read and changed by tests.
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "support/catch.h"
#include "support/queue/queue_kit.h"

namespace baudbridge::testing {

namespace fs = std::filesystem;

inline void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}
inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}
inline void flip(const std::string& path, std::uint64_t bit) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(bit / 8));
  const char byte = static_cast<char>(file.get() ^ (1 << (bit % 8)));
  file.seekp(static_cast<std::streamoff>(bit / 8));
  file.put(byte);
}

inline void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
  char* message = nullptr;
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message) != SQLITE_OK) FAIL(message);
  sqlite3_close(database);
}

/// A store with records 1 to n, closed; the tail is empty.
inline void fill(QueuePlace& place, std::uint64_t n, std::size_t padding = 0) {
  auto queue = place.open(at(0s));
  for (std::uint64_t i = 1; i <= n; ++i) queue->accept(a_record(i, at(0s), padding), at(0s));
  REQUIRE(queue->persist(at(0s), true));
}

inline std::vector<std::string> renamed_files(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name.find(".damaged-") != std::string::npos && name.find("-wal") == std::string::npos) names.push_back(name);
  }
  return names;
}

inline std::vector<std::uint64_t> up_to(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> all;
  for (auto n = first; n <= last; ++n) all.push_back(n);
  return all;
}

}  // namespace baudbridge::testing
