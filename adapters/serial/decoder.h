#pragma once
// The seam to any wire format on a serial line: a Framer (framer.h), a Decoder, and the table of both by name.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "adapters/registry.h"
#include "adapters/serial/framer.h"
#include "core/reading.h"

namespace baudbridge {

/// The raw value of one point in a frame, or why there is none.
struct PointValue {
  std::size_t point = 0;  ///< index into the device's points
  Result<Value> value;
  std::optional<std::uint64_t> bits;  ///< bit pattern of the raw value, where it has one
};

/// What a decoder makes of a frame.
enum class FrameKind {
  own,      ///< one of this device's frames
  foreign,  ///< complete, but not the expected one: another device's, another message, a boot message
  damaged,  ///< one of this device's frames, not readable
};

/// A frame -> values. Pure.
/// Threads: one caller.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Appends to `values`, in the order of the points; points that the frame does not contain are left out.
  virtual FrameKind decode(std::string_view frame, std::vector<PointValue>& values) = 0;
};

/// How one device's bytes are to be understood; makes what understands them.
struct DecodePlan {
  std::function<std::unique_ptr<Framer>()> framer;
  std::function<std::unique_ptr<Decoder>()> decoder;
  std::size_t frame_bytes = 0;  ///< length of a frame, where all have the same; 0: they differ
};

/// One wire format, as `kind` of [device.decode] names it.
struct DecodeKind {
  std::string_view name;
  /// Reads the format's keys of [device.decode] and of the points. Problems go to the Settings.
  DecodePlan (*parse)(Settings& decode, DeviceSettings& device);
};

/// The visible table: one line a wire format (decoders/table.cpp).
std::span<const DecodeKind> decode_kinds();

}  // namespace baudbridge
