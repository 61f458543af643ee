#pragma once
// The queue as `baudbridge queue` works on it: of the running service through its socket, else its files.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "offline_queue/queue.h"
#include "offline_queue/queue_file.h"
#include "src/config/config.h"

namespace baudbridge {

/// One page of records, each as the line of JSON that `queue export` prints.
struct ExportPage {
  std::vector<std::string> lines;
  std::uint64_t damaged = 0;     ///< records that cannot be read, and have no line
  std::optional<PageMark> next;  ///< none: this was the last page
};

/// Threads: one caller, which it blocks.
class QueueAccess {
 public:
  /// The queue of that file (--file) or of the configuration. Problems of the configuration do not matter here.
  static Result<std::unique_ptr<QueueAccess>> open(const std::optional<std::string>& file, const Config& config);
  virtual ~QueueAccess() = default;

  [[nodiscard]] virtual std::string name() const = 0;  ///< for people: the file, or the service's socket
  virtual Result<std::string> stat() = 0;              ///< queue_report_json
  virtual Result<ExportPage> page(const PageMark& from) = 0;
  virtual Result<ImportReport> import(const std::vector<std::string>& lines) = 0;
  virtual Result<std::uint64_t> requeue(const std::vector<Seq>& seqs) = 0;
  virtual Result<PurgeReport> purge(const PurgeOrder& order) = 0;
  virtual Result<VerifyReport> verify(const Progress& progress) = 0;
  /// The store's file, for salvage; empty: it is in use by the service.
  [[nodiscard]] virtual std::string damaged_file() const = 0;
};

/// {"queue_id":..,"records":{..},"balanced":true,"in_tail":..,...}: one object for `queue stat --json`, and between service and client.
[[nodiscard]] std::string queue_report_json(const QueueReport& report);

// What crosses the socket, both ways. A request or an answer that is not as it should be has no value.

[[nodiscard]] std::string export_page_json(const QueuePage& page, const std::string& queue_id);
[[nodiscard]] std::string import_report_json(const ImportReport& report);
[[nodiscard]] std::string purge_report_json(const PurgeReport& report);

/// Work is done in pieces of this size, so that the uplink does not wait for it.
inline constexpr std::size_t kPageRecords = 100;
inline constexpr std::size_t kPurgeRecords = 1000;

}  // namespace baudbridge
