#include "offline_queue/tail_entries.h"

#include "offline_queue/bytes.h"

namespace baudbridge {
namespace {
constexpr std::uint8_t kHeadFormat = 1;
}  // namespace

std::string head_payload(const TailHead& head) {
  std::string out;
  ByteWriter writer(out);
  writer.byte(kHeadFormat);
  for (const std::uint8_t byte : head.queue_id) writer.byte(byte);
  for (const std::uint8_t byte : head.boot) writer.byte(byte);
  for (const std::uint64_t number : {head.tail_id, head.inode, head.counts.accepted, head.counts.acknowledged,
                                     head.counts.dropped, head.last_seq, head.settled_index}) {
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
                                &head.counts.dropped, &head.last_seq, &head.settled_index}) {
    *number = in.fixed64();
  }
  return in.ok() && decode_state(in.raw(in.left()), head.store);
}

std::string record_payload(Seq seq, std::uint32_t crc, std::string_view body) {
  std::string out(kRecordHead, '\0');
  write_record_head(seq, crc, out.data());
  return out.append(body);
}

void write_record_head(Seq seq, std::uint32_t crc, char* out) {
  BasicByteWriter<RoomForBytes> writer(RoomForBytes{out});
  writer.fixed64(seq);
  writer.fixed32(crc);
}

std::string range_payload(Seq first, Seq last) {
  std::string out;
  ByteWriter writer(out);
  writer.number(first);
  writer.number(last - first);
  return out;
}

std::string note_payload(std::uint64_t index, Seq first, Seq last) {
  std::string out;
  ByteWriter writer(out);
  writer.number(index);
  writer.number(first);
  writer.number(last - first);
  return out;
}

std::string aside_payload(Seq seq, const AsideNote& note) {
  std::string out;
  ByteWriter writer(out);
  writer.number(seq);
  writer.byte(note.retry ? 1 : 0);
  writer.signed_number(note.since.count());
  writer.text(note.why);
  return out;
}

std::string committed_payload(const SpoolState& state, const std::vector<Seq>& asides) {
  std::string out;
  ByteWriter writer(out);
  writer.number(asides.size());
  for (const Seq seq : asides) writer.number(seq);
  writer.raw(encode_state(state));
  return out;
}

std::string anchor_payload(const Anchor& anchor) {
  std::string out;
  ByteWriter writer(out);
  for (const std::uint8_t byte : anchor.boot) writer.byte(byte);
  writer.signed_number(anchor.boot_clock.count());
  writer.signed_number(anchor.utc.count());
  return out;
}

}  // namespace baudbridge
