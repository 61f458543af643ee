#pragma once
// A record as it is stored: compact, exact (all digits of integers, all bits of doubles), the same on every machine.
// The format is defined in offline_queue/README.md.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/record.h"

namespace baudbridge {

/// Appends the stored form, without the number.
void encode_record(const Record& record, std::string& out);
/// None when these bytes are not a record.
[[nodiscard]] std::optional<Record> decode_record(Seq seq, std::string_view body);
/// True: these bytes are an event about the gateway itself.
[[nodiscard]] bool is_event(std::string_view body);
/// The checksum that is stored with a record: over its number (8 bytes, little endian) and its body.
[[nodiscard]] std::uint32_t record_checksum(Seq seq, std::string_view body);

}  // namespace baudbridge
