// Binary frames: start bytes, length fixed or from a field, checksum, fields by place and type.
#include <utility>

#include "adapters/serial/bytes_text.h"
#include "adapters/serial/decoders/table.h"
#include "adapters/serial/frame_field.h"

namespace baudbridge {
namespace {

constexpr std::int64_t kMaxFrame = 4096;

/// Bytes that a frame has to have at a place, to be the message that is meant.
struct Mark {
  std::size_t offset = 0;
  std::string bytes;
};

class FieldDecoder : public Decoder {
 public:
  FieldDecoder(std::vector<FrameField> fields, Mark mark) : fields_(std::move(fields)), mark_(std::move(mark)) {}

  FrameKind decode(std::string_view frame, std::vector<PointValue>& values) override {
    if (frame.size() < mark_.offset + mark_.bytes.size()) return FrameKind::foreign;
    if (frame.substr(mark_.offset, mark_.bytes.size()) != mark_.bytes) return FrameKind::foreign;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      auto raw = read_field(frame, fields_[i]);
      if (raw) {
        values.push_back({i, std::move(raw->value), raw->bits});
      } else {
        values.push_back({i, raw.error(), std::nullopt});
      }
    }
    return FrameKind::own;
  }

 private:
  std::vector<FrameField> fields_;
  Mark mark_;
};

FrameRules::LengthField parse_length_field(Settings& decode) {
  FrameRules::LengthField field;
  Settings table = decode.table("length");
  if (!table.has("at")) table.problem("at", "is missing; set the place of the length in the frame, like at = 2");
  field.offset = static_cast<std::size_t>(table.integer("at", 0, 0, kMaxFrame));
  struct Type {
    std::size_t size;
    bool little;
  };
  const Type type = table.choice(
      "type",
      Names<Type>{{"uint8", {1, false}}, {"uint16", {2, false}}, {"uint16be", {2, false}}, {"uint16le", {2, true}}},
      Type{1, false});
  field.size = type.size;
  field.little = type.little;
  field.add = static_cast<int>(table.integer("add", 0, -kMaxFrame, kMaxFrame));
  table.finish();
  return field;
}

void parse_length(Settings& decode, FrameRules& rules) {
  rules.max_length =
      static_cast<std::size_t>(decode.integer("max_length", static_cast<std::int64_t>(rules.max_length), 2, kMaxFrame));
  const ConfigNode* node = decode.node("length");
  if (node != nullptr && std::holds_alternative<ConfigTable>(node->value)) {
    rules.length_field = parse_length_field(decode);
  } else if (node != nullptr) {
    rules.length = static_cast<std::size_t>(decode.integer("length", 0, 1, kMaxFrame));
    rules.max_length = std::max(rules.max_length, rules.length);
  } else if (rules.end.empty()) {
    decode.problem("length",
                   "how long is a frame? length = 32, length = { at = 2, type = \"uint16\", add = 4 }, or the "
                   "bytes it ends with: end = \"0D\"");
  }
}

void parse_escape(Settings& decode, FrameRules& rules) {
  if (!decode.has("escape")) return;
  Settings table = decode.table("escape");
  const std::string mark = parse_bytes(table, "byte");
  const std::string xored = parse_bytes(table, "xor");
  table.finish();
  if (mark.size() != 1 || xored.size() != 1) {
    decode.problem("escape", "stuffing is two bytes: escape = { byte = \"7D\", xor = \"20\" }");
  } else if (rules.start.empty() || rules.end.empty()) {
    decode.problem("escape", "a stuffed frame needs start and end");
  } else {
    rules.escape = FrameRules::Escape{mark[0], xored[0]};
  }
}

Mark parse_mark(Settings& decode) {
  if (!decode.has("match")) return {};
  Settings table = decode.table("match");
  Mark mark;
  mark.offset = static_cast<std::size_t>(table.integer("at", 0, 0, kMaxFrame));
  mark.bytes = parse_bytes(table, "bytes");
  if (mark.bytes.empty()) table.problem("bytes", "which bytes? match = { at = 1, bytes = \"86\" }");
  table.finish();
  return mark;
}

/// The shortest frame that is possible has to hold a point's field; a longer one may.
void check_place(Settings& point, const FrameField& field, const FrameRules& rules) {
  const std::size_t length = rules.length;
  if (length == 0 || field.size == 0) return;
  const long at = field.offset < 0 ? static_cast<long>(length) + field.offset : field.offset;
  if (at >= 0 && static_cast<std::size_t>(at) + field.size <= length) return;
  point.problem("at", "a field of " + std::to_string(field.size) + " bytes at " + std::to_string(field.offset) +
                          " lies outside the frame of " + std::to_string(length) + " bytes");
}

}  // namespace

DecodePlan parse_frames(Settings& decode, DeviceSettings& device) {
  FrameRules rules;
  rules.start = parse_bytes(decode, "start");
  rules.end = parse_bytes(decode, "end");
  parse_length(decode, rules);
  rules.seven_bits = decode.flag("seven_bits", false);
  rules.checksum = parse_checksum(decode, rules.end.size());
  parse_escape(decode, rules);
  const Mark mark = parse_mark(decode);
  const bool little = decode.choice("order", Names<bool>{{"big", false}, {"little", true}}, false);
  if (rules.start.empty() && rules.checksum.kind == ChecksumKind::none && rules.end.empty()) {
    decode.problem("start", "without start bytes, end bytes or a checksum frames cannot be distinguished from noise");
  }
  std::vector<FrameField> fields;
  for (Settings& point : device.points) {
    fields.push_back(parse_frame_field(point, little));
    check_place(point, fields.back(), rules);
  }
  DecodePlan plan;
  plan.frame_bytes = rules.length;
  plan.framer = [rules] { return std::make_unique<FrameFramer>(rules); };
  plan.decoder = [fields, mark] { return std::make_unique<FieldDecoder>(fields, mark); };
  return plan;
}

}  // namespace baudbridge
