#include "src/control/control_requests.h"

#include <unistd.h>

#include <utility>

#include "bridge/json_text.h"
#include "bridge/status_json.h"
#include "src/control/latest_values.h"
#include "src/gateway.h"
#include "src/json.h"

namespace baudbridge {

std::string refusal_json(const std::string& error) {
  std::string line;
  JsonObject object(line);
  object.flag("ok", false).text("error", error);
  object.close();
  return line;
}

void ControlRequests::answer(const std::string& request, const ControlReply& reply, Steady now) {
  const auto asked = parse_json(request);
  if (!asked || !asked->is_object()) return reply(refusal_json("a request is one line of JSON: {\"do\":\"status\"}"));
  const std::string what = text_of(*asked, "do");
  if (what == "status") return status(reply);
  if (what == "values") return values(reply, now);
  if (queue_.answer(what, *asked, reply)) return;
  reply(refusal_json("there is no request \"" + what + "\""));
}

/// What an answer about the whole gateway begins with; the status follows.
std::string ControlRequests::answer_head() const {
  std::string head = R"({"ok":true,"gateway":)";
  append_json_string(head, gateway_.config().gateway.id);
  head += R"(,"config":)";
  append_json_string(head, gateway_.config().file);
  head += ",\"pid\":" + std::to_string(::getpid()) + ",\"status\":";
  return head;
}

void ControlRequests::status(const ControlReply& reply) {
  gateway_.ask([head = answer_head(), reply](Uplink& uplink, const Now& now) {
    reply(head + status_json(uplink.status(now)) + "}");
  });
}

void ControlRequests::values(const ControlReply& reply, Steady now) {
  asked_at_ = now;
  if (!values_) {
    values_ = std::make_shared<LatestValues>();
    gateway_.ask([values = values_](Uplink& uplink, const Now&) {
      uplink.set_tap([values](const Sample& sample) { values->take(sample); });
    });
  }
  gateway_.ask([head = answer_head(), values = values_, reply](Uplink& uplink, const Now& at) {
    reply(head + status_json(uplink.status(at)) + R"(,"values":)" + values->json() + "}");
  });
}

void ControlRequests::tidy(Steady now) {
  if (!values_ || now - asked_at_ < kWatchedFor) return;
  values_.reset();
  gateway_.ask([](Uplink& uplink, const Now&) { uplink.set_tap(nullptr); });
}

}  // namespace baudbridge
