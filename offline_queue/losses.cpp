#include "offline_queue/losses.h"

#include <algorithm>

#include "offline_queue/bytes.h"
#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {
constexpr Duration kTellAgainAfter = std::chrono::minutes(1);
constexpr Duration kHeardAgainAfter = std::chrono::seconds(10);
}  // namespace

void Losses::add(const Loss& loss) {
  for (auto& known : untold_) {
    if (known.word != loss.word || known.why != loss.why) continue;
    known.count += loss.count;
    if (loss.first != 0) known.first = known.first == 0 ? loss.first : std::min(known.first, loss.first);
    known.last = std::max(known.last, loss.last);
    return;
  }
  untold_.push_back(loss);
}

void Losses::merge(const Losses& other) {
  for (const auto& loss : other.untold_) add(loss);
  for (const Seq seq : other.left_) left(seq);
}

void Losses::told_as(const Loss& loss, Seq event) {
  for (auto& told : told_) {
    if (told.word == loss.word && told.why == loss.why) told.event = event;
  }
}

void Losses::keep_telling(Seq seq, std::string_view body) {
  if (!is_event(body)) return;
  const auto event = decode_record(seq, body);
  const auto loss = event ? loss_of(*event) : std::nullopt;
  if (!loss) return;
  add(*loss);
  left(seq);
  left_.push_back(seq);
}

Steady Losses::due(const Loss& loss) const {
  for (const auto& told : told_) {
    if (told.word != loss.word || told.why != loss.why) continue;
    return told.at + (told.event == kNone ? kHeardAgainAfter : kTellAgainAfter);
  }
  return Steady::min();
}

Steady Losses::due() const {
  Steady earliest = Steady::max();
  for (const auto& loss : untold_) earliest = std::min(earliest, due(loss));
  return earliest;
}

std::vector<Loss> Losses::take(const Now& now, bool all) {
  left_.clear();
  std::vector<Loss> taken;
  for (auto loss = untold_.begin(); loss != untold_.end();) {
    if (!all && due(*loss) > now.steady) {
      ++loss;
      continue;
    }
    std::erase_if(told_, [&](const Told& told) {
      return (told.word == loss->word && told.why == loss->why) || told.at + kTellAgainAfter < now.steady;
    });
    told_.push_back({loss->word, loss->why, now.steady, kNone});
    taken.push_back(std::move(*loss));
    loss = untold_.erase(loss);
  }
  return taken;
}

std::string Losses::encode() const {
  std::string out;
  ByteWriter writer(out);
  for (const auto& loss : untold_) {
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
