#include "src/control/queue_access.h"

#include <sys/stat.h>

#include <utility>

#include "core/time.h"
#include "src/config/places.h"
#include "src/control/service_client.h"
#include "src/json.h"

namespace baudbridge {
namespace {

/// Where systemd keeps the service's queue: StateDirectory= and RuntimeDirectory= of the unit.
constexpr const char* kServiceStore = "/var/lib/baudbridge/queue.db";
constexpr const char* kServiceTail = "/run/baudbridge/tail.db";

bool is_there(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

Error not_understood() {
  return Error{Fault::protocol,
               "the service's answer cannot be parsed: it may be another version; use its own baudbridge"};
}

/// The queue of the running service.
class ServiceQueue final : public QueueAccess {
 public:
  explicit ServiceQueue(ServiceClient service) : service_(std::move(service)) {}

  [[nodiscard]] std::string name() const override { return "the running service (" + service_.path() + ")"; }
  [[nodiscard]] std::string damaged_file() const override { return ""; }

  Result<std::string> stat() override {
    const auto answer = ask({{"do", "queue_stat"}});
    if (!answer) return answer.error();
    return json_text(member(*answer, "queue"));
  }

  Result<ExportPage> page(const PageMark& from) override {
    const auto answer = ask({{"do", "queue_list"}, {"dead_lettered", from.dead_lettered}, {"after", from.after}});
    if (!answer) return answer.error();
    ExportPage page;
    const Json& lines = member(*answer, "lines");
    if (!lines.is_array()) return not_understood();
    for (const auto& line : lines) {
      if (!line.is_string()) return not_understood();
      page.lines.push_back(line.get<std::string>());
    }
    page.damaged = count_of(*answer, "damaged");
    const Json& next = member(*answer, "next");
    if (next.is_object()) page.next = PageMark{flag_of(next, "dead_lettered"), count_of(next, "after")};
    return page;
  }

  Result<ImportReport> import(const std::vector<std::string>& lines) override {
    const auto answer = ask({{"do", "queue_import"}, {"lines", lines}});
    if (!answer) return answer.error();
    return ImportReport{count_of(*answer, "imported"), count_of(*answer, "renumbered"), count_of(*answer, "present")};
  }

  Result<std::uint64_t> requeue(const std::vector<Seq>& seqs) override {
    const auto answer = ask({{"do", "queue_requeue"}, {"seqs", seqs}});
    if (!answer) return answer.error();
    return count_of(*answer, "records");
  }

  Result<PurgeReport> purge(const PurgeOrder& order) override {
    Json request{{"do", "queue_purge"}, {"queued", order.queued}, {"dead_lettered", order.dead_lettered}};
    if (order.older_than) {
      request["older_than_ms"] = std::chrono::duration_cast<Milliseconds>(*order.older_than).count();
    }
    const auto answer = ask(request);
    if (!answer) return answer.error();
    return PurgeReport{count_of(*answer, "records"), flag_of(*answer, "finished")};
  }

  /// The service compares each record's checksum when it reads it, so reading all of them is what can be verified from
  /// outside; the file's structure is looked into when no service runs.
  Result<VerifyReport> verify(const Progress& progress) override {
    VerifyReport report;
    std::optional<PageMark> mark = PageMark{};
    while (mark) {
      const auto one = page(*mark);
      if (!one) return one.error();
      report.damaged += one->damaged;
      for (const auto& line : one->lines) {
        if (parse_export_line(line)) {
          ++report.records;
        } else {
          ++report.damaged;
        }
      }
      mark = one->next;
      if (progress && !progress(report.records)) break;
    }
    const auto status = ask({{"do", "queue_stat"}});
    if (!status) return status.error();
    if (!flag_of(member(*status, "queue"), "balanced")) {
      report.problems.emplace_back("the counters do not balance");
    }
    return report;
  }

 private:
  Result<Json> ask(const Json& request) {
    const auto line = service_.ask(json_text(request));
    if (!line) return line.error();
    auto answer = parse_json(*line);
    if (!answer) return not_understood();
    return std::move(*answer);
  }
  ServiceClient service_;
};

/// The queue's files, while no service runs.
class FileQueue final : public QueueAccess {
 public:
  explicit FileQueue(QueuePlaces places) : places_(std::move(places)) {}

  [[nodiscard]] std::string name() const override { return places_.store; }
  [[nodiscard]] std::string damaged_file() const override { return places_.store; }

  Result<std::string> stat() override {
    if (auto opened = open_view(); !opened) return opened.error();
    return queue_report_json(view_->report());
  }

  Result<ExportPage> page(const PageMark& from) override {
    if (auto opened = open_view(); !opened) return opened.error();
    const auto listed = view_->list(from, kPageRecords);
    if (!listed) return listed.error();
    ExportPage page;
    page.damaged = listed->damaged_behind;
    for (const auto& entry : listed->entries) {
      page.damaged += entry.damaged_before;
      page.lines.push_back(export_line(entry, view_->report().queue_id));
    }
    page.next = listed->next;
    return page;
  }

  Result<ImportReport> import(const std::vector<std::string>& lines) override {
    std::vector<ImportRecord> records;
    for (const auto& line : lines) {
      auto record = parse_export_line(line);
      if (!record) return record.error();
      records.push_back(std::move(*record));
    }
    return change<ImportReport>([&](Queue& queue, const Now& now) { return queue.import(std::move(records), now); });
  }

  Result<std::uint64_t> requeue(const std::vector<Seq>& seqs) override {
    return change<std::uint64_t>([&](Queue& queue, const Now& /*now*/) -> Result<std::uint64_t> {
      return queue.requeue_dead_letters(seqs, false);
    });
  }

  Result<PurgeReport> purge(const PurgeOrder& order) override {
    return change<PurgeReport>([&](Queue& queue, const Now& now) { return queue.purge(order, kPurgeRecords, now); });
  }

  Result<VerifyReport> verify(const Progress& progress) override { return verify_queue(places_, progress); }

 private:
  Result<void> open_view() {
    if (view_) return {};
    auto view = QueueView::open(places_);
    if (!view) return view.error();
    view_ = std::move(*view);
    return {};
  }

  template <class Report, class Work>
  Result<Report> change(Work work) {
    view_.reset();
    const Now now = clock_.now();
    if (!queue_) {
      auto queue = open_queue_file(places_, now, clock_.boot_id());
      if (!queue) return queue.error();
      queue_ = std::move(*queue);
    }
    Result<Report> report = work(*queue_, now);
    queue_->flush(now);
    const auto stored = queue_->persist(now, true);
    if (report && !stored) return stored.error();
    return report;
  }

  QueuePlaces places_;
  Clock clock_;
  std::unique_ptr<QueueView> view_;
  std::unique_ptr<Queue> queue_;
};

}  // namespace

Result<std::unique_ptr<QueueAccess>> QueueAccess::open(const std::optional<std::string>& file, const Config& config) {
  if (file) return std::unique_ptr<QueueAccess>(std::make_unique<FileQueue>(QueuePlaces{*file, ""}));
  auto service = ServiceClient::connect(config);
  if (service) return std::unique_ptr<QueueAccess>(std::make_unique<ServiceQueue>(std::move(*service)));
  // A service that does not answer, or may not be asked, still holds the file.
  if (service.error().kind != Fault::unplugged) return service.error();
  QueuePlaces places = queue_places(config.queue);
  // Systemd passes the service its folders, but not a command at a terminal. Another configuration is another
  // queue.
  const bool is_the_services = config.file == kDefaultConfigFile && config.queue.state_dir == default_state_dir();
  if (is_the_services && !is_there(places.store) && is_there(kServiceStore)) places = {kServiceStore, kServiceTail};
  return std::unique_ptr<QueueAccess>(std::make_unique<FileQueue>(std::move(places)));
}

}  // namespace baudbridge
