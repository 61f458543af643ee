#include "offline_queue/losses.h"

#include <algorithm>

#include "offline_queue/bytes.h"
#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {
constexpr Duration kReportInterval = std::chrono::minutes(1);
constexpr Duration kIntervalAfterDelivery = std::chrono::seconds(10);
}  // namespace

void Losses::add(const Loss& loss) {
  for (auto& known : unreported_) {
    if (known.word != loss.word || known.why != loss.why) continue;
    known.count += loss.count;
    if (loss.first != 0) known.first = known.first == 0 ? loss.first : std::min(known.first, loss.first);
    known.last = std::max(known.last, loss.last);
    return;
  }
  unreported_.push_back(loss);
}

void Losses::merge(const Losses& other) {
  for (const auto& loss : other.unreported_) add(loss);
  for (const Seq seq : other.removed_events_) event_removed(seq);
}

void Losses::reported_as(const Loss& loss, Seq event) {
  for (auto& report : reports_) {
    if (report.word == loss.word && report.why == loss.why) report.event = event;
  }
}

void Losses::report_again(Seq seq, std::string_view body) {
  if (!is_event(body)) return;
  const auto event = decode_record(seq, body);
  const auto loss = event ? loss_of(*event) : std::nullopt;
  if (!loss) return;
  add(*loss);
  event_removed(seq);
  removed_events_.push_back(seq);
}

Steady Losses::due(const Loss& loss) const {
  for (const auto& report : reports_) {
    if (report.word != loss.word || report.why != loss.why) continue;
    return report.at + (report.event == kNone ? kIntervalAfterDelivery : kReportInterval);
  }
  return Steady::min();
}

Steady Losses::due() const {
  Steady earliest = Steady::max();
  for (const auto& loss : unreported_) earliest = std::min(earliest, due(loss));
  return earliest;
}

std::vector<Loss> Losses::take_due(const Now& now, bool all) {
  removed_events_.clear();
  std::vector<Loss> taken;
  for (auto loss = unreported_.begin(); loss != unreported_.end();) {
    if (!all && due(*loss) > now.steady) {
      ++loss;
      continue;
    }
    std::erase_if(reports_, [&](const Report& report) {
      return (report.word == loss->word && report.why == loss->why) || report.at + kReportInterval < now.steady;
    });
    reports_.push_back({loss->word, loss->why, now.steady, kNone});
    taken.push_back(std::move(*loss));
    loss = unreported_.erase(loss);
  }
  return taken;
}

std::string Losses::encode() const {
  std::string out;
  ByteWriter writer(out);
  for (const auto& loss : unreported_) {
    writer.text(loss.word);
    writer.text(loss.why);
    writer.number(loss.count);
    writer.number(loss.first);
    writer.number(loss.last);
  }
  return out;
}

void Losses::decode(std::string_view bytes) {
  ByteReader in(bytes);
  while (in.left() > 0) {
    Loss loss;
    loss.word = std::string(in.text());
    loss.why = std::string(in.text());
    loss.count = in.number();
    loss.first = in.number();
    loss.last = in.number();
    if (!in.ok()) return;
    add(loss);
  }
}

std::optional<Loss> loss_of(const Record& event) {
  if (event.device != kBridgeDevice) return std::nullopt;
  Loss loss;
  for (const auto& reading : event.readings) {
    if (!reading.value) return std::nullopt;
    const auto* text = std::get_if<std::string>(&*reading.value);
    const auto* number = std::get_if<std::uint64_t>(&*reading.value);
    if (text != nullptr && reading.point == "event") loss.word = *text;
    if (text != nullptr && reading.point == "why") loss.why = *text;
    if (number != nullptr && reading.point == "count") loss.count = *number;
    if (number != nullptr && reading.point == "first_seq") loss.first = *number;
    if (number != nullptr && reading.point == "last_seq") loss.last = *number;
  }
  if (loss.word != "dropped" && loss.word != "damaged" && loss.word != "skipped") return std::nullopt;
  return loss;
}

Record loss_event(const Loss& loss, const Taken& taken) {
  std::vector<Reading> details;
  details.push_back({"count", Value{loss.count}});
  if (loss.first != 0) details.push_back({"first_seq", Value{loss.first}});
  if (loss.last != 0) details.push_back({"last_seq", Value{loss.last}});
  details.push_back({"why", Value{loss.why}});
  return make_event(loss.word, std::move(details), taken);
}

}  // namespace baudbridge
