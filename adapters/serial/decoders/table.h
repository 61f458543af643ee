#pragma once
// The parsers of all wire formats; each is defined in the file of its name.
#include "adapters/serial/decoder.h"

namespace baudbridge {

DecodePlan parse_columns(Settings& decode, DeviceSettings& device);
DecodePlan parse_key_value(Settings& decode, DeviceSettings& device);
DecodePlan parse_json(Settings& decode, DeviceSettings& device);
DecodePlan parse_pattern(Settings& decode, DeviceSettings& device);
DecodePlan parse_frames(Settings& decode, DeviceSettings& device);

}  // namespace baudbridge
