#include "offline_queue/store_state.h"

#include <algorithm>

#include "offline_queue/bytes.h"
#include "offline_queue/crc32c.h"

namespace baudbridge {

std::string queue_id_text(const QueueId& id) {
  BootId same_size{};
  std::copy(id.begin(), id.end(), same_size.begin());
  return boot_text(same_size);  // 32 hexadecimal digits
}

std::string encode_state_rest(const StoreState& state) {
  std::string out;
  ByteWriter writer(out);
  for (const std::uint8_t byte : state.queue_id) writer.byte(byte);
  for (const std::uint64_t number :
       {state.dead_letter_bytes, state.change, state.lowest_seq, state.moved_through, state.tail_id,
        state.folded_accepted, state.folded_acknowledged, state.folded_dropped, state.acknowledged_index}) {
    writer.number(number);
  }
  for (const std::uint8_t byte : state.boot) writer.byte(byte);
  writer.signed_number(state.boot_clock.count());
  writer.text(state.unreported);
  writer.text(state.salvage.file);
  writer.byte(state.salvage.phase);
  writer.number(state.salvage.position);
  writer.number(state.salvage.records);
  writer.number(state.salvage.damaged);
  writer.number(state.salvage.missing);
  writer.number(state.salvage.not_before);
  return out;
}

bool decode_state_rest(std::string_view bytes, StoreState& state) {
  ByteReader in(bytes);
  for (std::uint8_t& byte : state.queue_id) byte = in.byte();
  for (std::uint64_t* number :
       {&state.dead_letter_bytes, &state.change, &state.lowest_seq, &state.moved_through, &state.tail_id,
        &state.folded_accepted, &state.folded_acknowledged, &state.folded_dropped, &state.acknowledged_index}) {
    *number = in.number();
  }
  for (std::uint8_t& byte : state.boot) byte = in.byte();
  state.boot_clock = Milliseconds(in.signed_number());
  state.unreported = std::string(in.text());
  state.salvage.file = std::string(in.text());
  state.salvage.phase = in.byte();
  state.salvage.position = in.number();
  state.salvage.records = in.number();
  state.salvage.damaged = in.number();
  state.salvage.missing = in.number();
  state.salvage.not_before = in.number();
  return in.ok();
}

std::string encode_state(const StoreState& state) {
  std::string out;
  ByteWriter writer(out);
  for (const std::uint64_t number : {state.accepted, state.acknowledged, state.queued, state.dead_lettered,
                                     state.dropped, state.last_seq, state.reserved_through}) {
    writer.fixed64(number);
  }
  writer.raw(encode_state_rest(state));
  return out;
}

bool decode_state(std::string_view bytes, StoreState& state) {
  ByteReader in(bytes);
  for (std::uint64_t* number : {&state.accepted, &state.acknowledged, &state.queued, &state.dead_lettered,
                                &state.dropped, &state.last_seq, &state.reserved_through}) {
    *number = in.fixed64();
  }
  return in.ok() && decode_state_rest(in.raw(in.left()), state);
}

std::uint32_t state_checksum(const StoreState& state) {
  return crc32c(encode_state(state));
}

}  // namespace baudbridge
