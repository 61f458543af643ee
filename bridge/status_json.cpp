#include "bridge/status_json.h"

#include <cstdint>

#include "bridge/json_text.h"

namespace baudbridge {
namespace {

template <class Unit>
std::int64_t whole(Duration duration) {
  return std::chrono::duration_cast<Unit>(duration).count();
}

void write_counters(std::string& out, const RecordCounters& counters) {
  JsonObject object(out);
  object.number("accepted", counters.accepted)
      .number("acknowledged", counters.acknowledged)
      .number("queued", counters.queued);
  object.number("dead_lettered", counters.dead_lettered).number("dropped", counters.dropped);
  object.close();
}

void write_queue(std::string& out, const StatusView& view) {
  const QueueReport& queue = view.queue;
  JsonObject object(out);
  object.number("in_tail", queue.in_tail).number("in_store", queue.in_store).number("store_bytes", queue.store_bytes);
  object.number("last_seq", queue.last_seq);
  if (queue.oldest) object.number("oldest", queue.oldest->count());
  object.flag("durable", queue.durable);
  if (!queue.disk_error.empty()) object.text("disk_error", queue.disk_error);
  object.close();
}

void write_link(std::string& out, const StatusView& view) {
  const LinkReport& link = view.link;
  JsonObject object(out);
  object.flag("connected", link.connected).text("server", link.server).number("since", link.since.count());
  object.number("for_s", whole<std::chrono::seconds>(link.lasts));
  object.text("protocol", link.mqtt5 ? "5" : "3.1.1").flag("session_present", link.session_present);
  object.number("in_flight", view.in_flight);
  object.number("oldest_in_flight_ms", whole<std::chrono::milliseconds>(view.oldest_in_flight));
  object.number("delivered", view.acknowledged).number("refused", view.rejected).flag("slowed", view.slowed);
  object.number("connects", link.connects).number("failures", link.failures);
  if (!link.last_error.empty()) object.text("last_error", link.last_error);
  object.close();
}

void write_device(std::string& out, const DeviceReport& device) {
  JsonObject object(out);
  if (device.known) object.text("state", device.online ? "online" : "offline");
  if (!device.why.empty()) object.text("why", device.why);
  object.number("polls", device.polls).number("failures", device.failures).number("late_replies", device.late_replies);
  object.number("response_ms", device.response_ms);
  if (device.recommended_timeout_ms > 0.0) object.number("recommended_timeout_ms", device.recommended_timeout_ms);
  object.close();
}

void write_serve(std::string& out, const ServeReport& serve) {
  JsonObject object(out);
  object.text("address", serve.address).flag("listening", serve.listening);
  if (!serve.why.empty()) object.text("why", serve.why);
  object.number("share_percent", serve.share_percent).number("load_percent", serve.load_percent);
  object.number("clients", serve.clients).number("requests", serve.requests).number("refused", serve.refused);
  object.number("failed", serve.failed).number("rejected", serve.rejected).number("malformed", serve.malformed);
  object.close();
}

void write_bus(std::string& out, const BusReport& bus) {
  JsonObject object(out);
  object.flag("open", bus.open);
  if (!bus.why.empty()) object.text("why", bus.why);
  object.number("load_percent", bus.load_percent).number("polls", bus.polls).number("failures", bus.failures);
  object.number("late_polls", bus.late_polls);
  if (!bus.advice.empty()) object.text("advice", bus.advice);
  if (bus.serve) {
    object.key("serve");
    write_serve(out, *bus.serve);
  }
  object.key("devices");
  JsonObject devices(out);
  for (const auto& device : bus.devices) {
    devices.key(device.device);
    write_device(out, device);
  }
  devices.close();
  object.close();
}

}  // namespace

std::string status_json(const StatusView& view) {
  std::string out;
  JsonObject object(out);
  object.number("ts", view.now.utc.count()).text("version", view.version);
  object.number("uptime_s", whole<std::chrono::seconds>(view.runs_for)).flag("clock_synced", view.now.utc_synced);
  object.key("records");
  write_counters(out, view.queue.counters);
  object.key("queue");
  write_queue(out, view);
  object.key("link");
  write_link(out, view);
  object.key("buses");
  JsonObject buses(out);
  if (view.buses != nullptr) {
    for (const auto& [name, bus] : *view.buses) {
      buses.key(name);
      write_bus(out, bus);
    }
  }
  buses.close();
  object.close();
  return out;
}

}  // namespace baudbridge
