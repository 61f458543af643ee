#pragma once
// Limits of the MQTT protocol.
#include <cstddef>
#include <string_view>

namespace baudbridge {

/// Source: MQTT 5.0 section 2.1.4: the largest remaining length.
inline constexpr std::size_t kLargestPacket_bytes = 268'435'455;

/// True: a PUBLISH may be sent to it: valid UTF-8 without U+0000, no wildcards, at most 65,535 bytes.
/// Source: MQTT 5.0 sections 1.5.4 and 4.7.
[[nodiscard]] bool is_topic_name(std::string_view text);

}  // namespace baudbridge
