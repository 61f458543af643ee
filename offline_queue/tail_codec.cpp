#include "offline_queue/tail_codec.h"

#include "offline_queue/bytes.h"
#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {
constexpr std::uint8_t kHeadFormat = 1;
}  // namespace

std::string encode_head(const TailHead& head) {
  std::string out;
  ByteWriter writer(out);
  writer.byte(kHeadFormat);
  for (const std::uint8_t byte : head.queue_id) writer.byte(byte);
  for (const std::uint8_t byte : head.boot) writer.byte(byte);
  for (const std::uint64_t number : {head.tail_id, head.inode, head.counts.accepted, head.counts.acknowledged,
                                     head.counts.dropped, head.last_seq, head.acknowledged_index}) {
    writer.fixed64(number);
  }
  writer.raw(encode_state(head.store));
  return out;
}

bool decode_head(std::string_view payload, TailHead& head) {
  ByteReader in(payload);
  if (in.byte() != kHeadFormat) return false;
  for (std::uint8_t& byte : head.queue_id) byte = in.byte();
  for (std::uint8_t& byte : head.boot) byte = in.byte();
  for (std::uint64_t* number : {&head.tail_id, &head.inode, &head.counts.accepted, &head.counts.acknowledged,
                                &head.counts.dropped, &head.last_seq, &head.acknowledged_index}) {
    *number = in.fixed64();
  }
  return in.ok() && decode_state(in.raw(in.left()), head.store);
}

void write_record_head(Seq seq, std::uint32_t crc, char* out) {
  BasicByteWriter<RoomForBytes> writer(RoomForBytes{out});
  writer.fixed64(seq);
  writer.fixed32(crc);
}

std::string encode_record_entry(Seq seq, std::uint32_t crc, std::string_view body) {
  std::string out(kRecordHead, '\0');
  write_record_head(seq, crc, out.data());
  return out.append(body);
}

std::optional<TailEntry> decode_record_entry(std::string_view payload) {
  ByteReader in(payload);
  TailEntry entry;
  entry.seq = in.fixed64();
  entry.crc = in.fixed32();
  if (!in.ok()) return std::nullopt;
  entry.size = static_cast<std::uint32_t>(in.left());
  entry.event = is_event(payload.substr(kRecordHead));
  return entry;
}

std::string encode_range(Seq first, Seq last) {
  std::string out;
  ByteWriter writer(out);
  writer.number(first);
  writer.number(last - first);
  return out;
}

std::optional<std::pair<Seq, Seq>> decode_range(std::string_view payload) {
  ByteReader in(payload);
  const Seq first = in.number();
  const Seq last = first + in.number();
  if (!in.ok() || last < first) return std::nullopt;
  return std::pair(first, last);
}

std::string encode_note(const StoreChanges::Note& note) {
  std::string out;
  ByteWriter writer(out);
  writer.number(note.index);
  writer.number(note.first);
  writer.number(note.last - note.first);
  return out;
}

StoreChanges::Note decode_note(std::string_view payload) {
  ByteReader in(payload);
  const std::uint64_t index = in.number();
  const Seq first = in.number();
  return {index, first, first + in.number()};
}

std::string encode_rejection(Seq seq, const Rejection& rejection) {
  std::string out;
  ByteWriter writer(out);
  writer.number(seq);
  writer.byte(rejection.retry ? 1 : 0);
  writer.signed_number(rejection.since.count());
  writer.text(rejection.why);
  return out;
}

std::optional<std::pair<Seq, Rejection>> decode_rejection(std::string_view payload) {
  ByteReader in(payload);
  const Seq seq = in.number();
  Rejection rejection;
  rejection.retry = in.byte() != 0;
  rejection.since = Milliseconds(in.signed_number());
  rejection.why = std::string(in.text());
  if (!in.ok()) return std::nullopt;
  return std::pair(seq, std::move(rejection));
}

std::string encode_committed(const StoreState& state, const std::vector<Seq>& moved) {
  std::string out;
  ByteWriter writer(out);
  writer.number(moved.size());
  for (const Seq seq : moved) writer.number(seq);
  writer.raw(encode_state(state));
  return out;
}

bool decode_committed(std::string_view payload, StoreState& state, std::vector<Seq>& moved) {
  ByteReader in(payload);
  for (std::uint64_t count = in.number(); count > 0 && in.ok(); --count) moved.push_back(in.number());
  return in.ok() && decode_state(in.raw(in.left()), state);
}

std::string encode_anchor(const Anchor& anchor) {
  std::string out;
  ByteWriter writer(out);
  for (const std::uint8_t byte : anchor.boot) writer.byte(byte);
  writer.signed_number(anchor.boot_clock.count());
  writer.signed_number(anchor.utc.count());
  return out;
}

Anchor decode_anchor(std::string_view payload) {
  ByteReader in(payload);
  Anchor anchor;
  for (std::uint8_t& byte : anchor.boot) byte = in.byte();
  anchor.boot_clock = Milliseconds(in.signed_number());
  anchor.utc = Milliseconds(in.signed_number());
  return anchor;
}

std::string encode_stamp(std::int64_t utc_ms) {
  std::string out;
  ByteWriter(out).signed_number(utc_ms);
  return out;
}

std::int64_t decode_stamp(std::string_view payload) {
  return ByteReader(payload).signed_number();
}

}  // namespace baudbridge
