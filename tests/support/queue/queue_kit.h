#pragma once
// For all tests of the queue: records, a queue in two folders, reading all of it.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "offline_queue/queue.h"
#include "offline_queue/queue_options.h"
#include "support/catch.h"
#include "support/moments.h"
#include "support/temp_dir.h"

namespace baudbridge::testing {

/// A record whose content follows from `n`, so that any change to it shows.
inline Record a_record(std::uint64_t n, const Now& now, std::size_t padding = 0, const BootId& boot = kBoot) {
  Record record{0, "meter-" + std::to_string(n % 7), taken_at(now, boot), {}};
  record.readings.push_back({"count", Value{n}});
  record.readings.push_back({"power", Value{static_cast<double>(n) * 0.37}});
  record.readings.push_back({"delta", Value{-static_cast<std::int64_t>(n)}});
  record.readings.push_back({"pump", Error{Fault::timeout, "no answer in 300 ms"}});
  if (padding > 0) record.readings.push_back({"text", Value{std::string(padding, static_cast<char>('a' + n % 26))}});
  return record;
}

/// The number that a_record() was made from; none for the gateway's own events.
inline std::optional<std::uint64_t> number_of(const Record& record) {
  if (record.device == kBridgeDevice || record.readings.empty()) return std::nullopt;
  return std::get<std::uint64_t>(*record.readings.front().value);
}

inline bool is_intact(const Record& record) {
  const auto n = number_of(record);
  if (!n) return record.device == kBridgeDevice;
  Record expected = a_record(*n, Now{}, 0);
  if (record.readings.size() == 5) {
    const auto& text = std::get<std::string>(*record.readings[4].value);
    expected.readings.push_back({"text", Value{std::string(text.size(), static_cast<char>('a' + *n % 26))}});
  }
  return record.device == expected.device && record.readings == expected.readings;
}

inline std::string event_word(const Record& record) {
  return record.device == kBridgeDevice ? std::get<std::string>(*record.readings.front().value) : "";
}

/// A detail of an event, as text; empty when it has none of that name.
inline std::string detail(const Record& record, const std::string& name) {
  for (const auto& reading : record.readings) {
    if (reading.point == name && reading.value) return value_text(*reading.value);
  }
  return "";
}

/// Where a test that opens hundreds of files does not wait for a disk.
inline std::string fast_folder() {
  return std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp";
}

/// Two folders and a configuration.
struct QueuePlace {
  TempDir state{fast_folder()};
  TempDir runtime{fast_folder()};
  QueueOptions options;

  QueuePlace() {
    QueueConfig config;
    config.state_dir = state.path();
    config.runtime_dir = runtime.path();
    options = queue_options(config);
  }
  [[nodiscard]] std::string store() const { return options.store_path; }
  [[nodiscard]] std::string tail() const { return options.tail_path; }
  Result<std::unique_ptr<Queue>> try_open(const Now& now, const BootId& boot = kBoot) {
    return open_queue(options, now, boot);
  }
  std::unique_ptr<Queue> open(const Now& now, const BootId& boot = kBoot) {
    auto queue = try_open(now, boot);
    if (!queue) FAIL(queue.error().what);
    REQUIRE((*queue)->counters().balanced());
    return std::move(*queue);
  }
};

/// Hands out everything that there is, without acknowledging it.
inline std::vector<Record> all_of(Queue& queue, const Now& now, Lane lane = Lane::fifo) {
  std::vector<Record> records;
  while (const Record* record = queue.next(lane, now)) records.push_back(*record);
  return records;
}

/// The same, without the gateway's own events.
inline std::vector<std::uint64_t> numbers_of(const std::vector<Record>& records) {
  std::vector<std::uint64_t> numbers;
  for (const auto& record : records) {
    if (const auto n = number_of(record)) numbers.push_back(*n);
  }
  return numbers;
}

inline std::vector<Seq> seqs_of(const std::vector<Record>& records) {
  std::vector<Seq> seqs;
  for (const auto& record : records) seqs.push_back(record.seq);
  return seqs;
}

inline std::vector<Record> events_of(const std::vector<Record>& records, const std::string& word) {
  std::vector<Record> events;
  for (const auto& record : records) {
    if (event_word(record) == word) events.push_back(record);
  }
  return events;
}

}  // namespace baudbridge::testing
