#include "src/control/queue_requests.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "src/control/control_requests.h"
#include "src/control/queue_access.h"
#include "src/gateway.h"
#include "src/json.h"

namespace baudbridge {

bool QueueRequests::answer(const std::string& what, const Json& request, const ControlReply& reply) {
  if (what == "queue_stat") {
    gateway_.ask([reply](Uplink& uplink, const Now&) {
      reply(R"({"ok":true,"queue":)" + queue_report_json(uplink.queue().report()) + "}");
    });
  } else if (what == "queue_list") {
    const PageMark from{flag_of(request, "dead_lettered"), count_of(request, "after")};
    gateway_.ask([from, reply](Uplink& uplink, const Now&) {
      const auto page = uplink.queue().list(from, kPageRecords);
      if (!page) return reply(refusal_json(page.error().what));
      reply(export_page_json(*page, uplink.queue().report().queue_id));
    });
  } else if (what == "queue_import") {
    import(request, reply);
  } else if (what == "queue_requeue") {
    requeue(request, reply);
  } else if (what == "queue_purge") {
    PurgeOrder order{flag_of(request, "queued"), flag_of(request, "dead_lettered"), std::nullopt};
    if (member(request, "older_than_ms").is_number_integer()) {
      constexpr std::uint64_t kLongest_ms = 100ULL * 366 * 24 * 3600 * 1000;  // what a Duration holds
      const std::uint64_t older_ms = std::min(count_of(request, "older_than_ms"), kLongest_ms);
      order.older_than = Milliseconds(static_cast<std::int64_t>(older_ms));
    }
    gateway_.ask([order, reply](Uplink& uplink, const Now& now) {
      const auto report = uplink.queue().purge(order, kPurgeRecords, now);
      reply(report ? purge_report_json(*report) : refusal_json(report.error().what));
    });
  } else {
    return false;
  }
  return true;
}

void QueueRequests::import(const Json& request, const ControlReply& reply) {
  const Json& lines = member(request, "lines");
  if (!lines.is_array()) return reply(refusal_json("\"lines\" is to be an array of exported lines"));
  std::vector<ImportRecord> records;
  for (const auto& line : lines) {
    auto record = line.is_string() ? parse_export_line(line.get<std::string>())
                                   : Result<ImportRecord>(Error{Fault::protocol, "a line is to be a string"});
    if (!record) return reply(refusal_json(record.error().what));
    records.push_back(std::move(*record));
  }
  gateway_.ask([records = std::move(records), reply](Uplink& uplink, const Now& now) {
    const auto report = uplink.queue().import(records, now);
    reply(report ? import_report_json(*report) : refusal_json(report.error().what));
  });
}

void QueueRequests::requeue(const Json& request, const ControlReply& reply) {
  const Json& numbers = member(request, "seqs");
  std::vector<Seq> seqs;
  if (!numbers.is_array()) return reply(refusal_json("\"seqs\" is to be an array of numbers; empty: all"));
  for (const auto& number : numbers) {
    if (!number.is_number_unsigned()) return reply(refusal_json("a seq is a whole number"));
    seqs.push_back(number.get<Seq>());
  }
  gateway_.ask([seqs = std::move(seqs), reply](Uplink& uplink, const Now&) {
    const std::uint64_t count = uplink.queue().requeue_dead_letters(seqs, false);
    reply(R"({"ok":true,"records":)" + std::to_string(count) + "}");
  });
}

}  // namespace baudbridge
