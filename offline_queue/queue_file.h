#pragma once
// The files of a queue that no service uses, also from another machine: for the command line.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "offline_queue/queue.h"

namespace baudbridge {

/// The files of one queue. tail may be empty: only the store's file, as with another machine's card.
struct QueuePlaces {
  std::string store;
  std::string tail;
};
[[nodiscard]] QueuePlaces queue_places(const QueueConfig& config);

/// A queue opened to read only: no byte of it changes, and no file is created.
/// Threads: none of its own; one caller.
/// Errors:  closed when a running service (or anything else) holds the file: ask the service through its socket;
///          io when it cannot be read; protocol when it is damaged or no queue; refused when a newer version wrote it.
class QueueView {
 public:
  static Result<std::unique_ptr<QueueView>> open(const QueuePlaces& places);
  explicit QueueView(std::unique_ptr<QueueParts> parts);
  ~QueueView();
  QueueView(const QueueView&) = delete;
  QueueView& operator=(const QueueView&) = delete;
  [[nodiscard]] QueueReport report() const;
  Result<QueuePage> list(const PageMark& from, std::size_t limit) const;

 private:
  std::unique_ptr<QueueParts> parts_;
};

struct VerifyReport {
  std::uint64_t records = 0;          ///< intact ones, queued and dead-lettered
  std::uint64_t damaged = 0;          ///< whose checksum is wrong
  std::vector<std::string> problems;  ///< messages; at most a hundred
  [[nodiscard]] bool whole() const { return damaged == 0 && problems.empty(); }
};

/// Reads every record, compares the checksums, checks the file's structure and the counters. Changes nothing.
/// progress: called repeatedly with the records so far; false stops it.
using Progress = std::function<bool(std::uint64_t records)>;
Result<VerifyReport> verify_queue(const QueuePlaces& places, const Progress& progress = {});

struct SalvageReport {
  std::uint64_t records = 0;        ///< queued in the new file
  std::uint64_t dead_lettered = 0;  ///< dead-lettered in the new file
  std::uint64_t damaged = 0;        ///< places that look like a record but are damaged
  bool structure_lost = false;      ///< SQLite could not read all of the file: its pages were searched one by one
};

/// Reads what is readable in a damaged, foreign or cut file (and in its -wal file, if there is one) and writes it to a
/// new queue file, which must not exist. The damaged file is not changed.
Result<SalvageReport> salvage_queue(const std::string& damaged, const std::string& fresh,
                                    const Progress& progress = {});

/// A queue opened to be changed (import, purge, requeue) while no service runs on it. It has no caps: nothing is
/// dropped. End with persist(now, true). Error as Queue::open.
Result<std::unique_ptr<Queue>> open_queue_file(const QueuePlaces& places, const Now& now, const BootId& boot);

/// One record as a line of JSON without the line feed: readable fields first (seq, device, ts, values, faults, where,
/// why), then "record", the stored bytes in base64, and "crc32c" over them; these two are what import reads.
[[nodiscard]] std::string export_line(const QueueEntry& entry, const std::string& queue_id);
/// Error kind protocol when the line is invalid, or the record does not match its checksum.
Result<ImportRecord> parse_export_line(std::string_view line);

}  // namespace baudbridge
