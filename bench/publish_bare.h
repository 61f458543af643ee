#pragma once
#include <cstdint>
#include <string>

/// Publishes `count` messages of this payload with Paho alone, QoS 1, never more than `window` out, the next one from
/// the acknowledgement of an older one. Result: messages a second.
double publish_with_bare_paho(const std::string& uri, const std::string& topic, const std::string& payload,
                              std::uint64_t count, std::uint64_t window);
