#include "adapters/serial/decoders/table.h"

#include <array>

namespace baudbridge {

std::span<const DecodeKind> decode_kinds() {
  static constexpr std::array kKinds{
      DecodeKind{"columns", parse_columns},      // 23.4,56.7,1013
      DecodeKind{"key-value", parse_key_value},  // T=23.4;H=56.7
      DecodeKind{"json", parse_json},            // {"t":23.4,"h":56.7}
      DecodeKind{"pattern", parse_pattern},      // any line, by a regular expression
      DecodeKind{"frames", parse_frames},        // binary
  };
  return kKinds;
}

}  // namespace baudbridge
