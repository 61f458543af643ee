// The queue's reports as JSON.
#include "bridge/json_text.h"
#include "src/control/queue_access.h"

namespace baudbridge {

std::string queue_report_json(const QueueReport& report) {
  std::string out;
  JsonObject object(out);
  object.text("queue_id", report.queue_id);
  object.key("records");
  JsonObject counters(out);
  counters.number("accepted", report.counters.accepted).number("acknowledged", report.counters.acknowledged);
  counters.number("queued", report.counters.queued).number("dead_lettered", report.counters.dead_lettered);
  counters.number("dropped", report.counters.dropped);
  counters.close();
  object.flag("balanced", report.counters.balanced());
  object.number("in_tail", report.in_tail).number("in_store", report.in_store);
  object.number("store_bytes", report.store_bytes).number("tail_bytes", report.tail_bytes);
  object.number("max_size_bytes", report.max_size_bytes).number("last_seq", report.last_seq);
  if (report.oldest) object.number("oldest", report.oldest->count());
  object.flag("durable", report.durable);
  if (!report.disk_error.empty()) object.text("disk_error", report.disk_error);
  object.close();
  return out;
}

/// A page may be cut short, so that a few huge records do not make a huge answer.
std::string export_page_json(const QueuePage& page, const std::string& queue_id) {
  constexpr std::size_t kLargest_bytes = 512U << 10;
  std::string out = R"({"ok":true,"lines":[)";
  std::optional<PageMark> next = page.next;
  std::uint64_t damaged = page.entries.empty() ? page.damaged_behind : 0;
  bool first = true;
  for (const auto& entry : page.entries) {
    if (!first && out.size() > kLargest_bytes) break;
    if (!first) out += ',';
    first = false;
    append_json_string(out, export_line(entry, queue_id));
    next = PageMark{entry.where == Where::dead_lettered, entry.record.seq};
    damaged += entry.damaged_before;
    if (&entry == &page.entries.back()) {
      next = page.next;
      damaged += page.damaged_behind;
    }
  }
  out += "],\"damaged\":" + std::to_string(damaged);
  if (next) {
    out += R"(,"next":)";
    JsonObject object(out);
    object.flag("dead_lettered", next->dead_lettered).number("after", next->after);
    object.close();
  }
  return out + "}";
}

std::string import_report_json(const ImportReport& report) {
  std::string out;
  JsonObject object(out);
  object.flag("ok", true).number("imported", report.imported).number("renumbered", report.renumbered);
  object.number("present", report.present);
  object.close();
  return out;
}

std::string purge_report_json(const PurgeReport& report) {
  std::string out;
  JsonObject object(out);
  object.flag("ok", true).number("records", report.records).flag("finished", report.finished);
  object.close();
  return out;
}

}  // namespace baudbridge
