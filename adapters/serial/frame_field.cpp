#include "adapters/serial/frame_field.h"

#include <array>
#include <charconv>
#include <cstring>

namespace baudbridge {
namespace {

constexpr std::int64_t kMaxOffset = 4096;
constexpr std::int64_t kMaxTextLength = 256;
constexpr unsigned kBitsPerByte = 8;

struct TypeName {
  std::string_view name;
  FieldKind kind;
  std::size_t size;
};

constexpr std::array kTypes{
    TypeName{"uint8", FieldKind::unsigned_number, 1},
    TypeName{"int8", FieldKind::signed_number, 1},
    TypeName{"uint16", FieldKind::unsigned_number, 2},
    TypeName{"int16", FieldKind::signed_number, 2},
    TypeName{"uint24", FieldKind::unsigned_number, 3},
    TypeName{"int24", FieldKind::signed_number, 3},
    TypeName{"uint32", FieldKind::unsigned_number, 4},
    TypeName{"int32", FieldKind::signed_number, 4},
    TypeName{"uint64", FieldKind::unsigned_number, 8},
    TypeName{"int64", FieldKind::signed_number, 8},
    TypeName{"float32", FieldKind::floating, 4},
    TypeName{"float64", FieldKind::floating, 8},
    TypeName{"bcd8", FieldKind::bcd, 1},
    TypeName{"bcd16", FieldKind::bcd, 2},
    TypeName{"bcd24", FieldKind::bcd, 3},
    TypeName{"bcd32", FieldKind::bcd, 4},
    TypeName{"bool", FieldKind::boolean, 1},
    TypeName{"string", FieldKind::text, 0},
    TypeName{"decimal", FieldKind::decimal, 0},
};

constexpr const char* kTypeWords =
    "uint8 to uint64, int8 to int64, float32, float64, bcd8 to bcd32 (each with \"le\" or \"be\" behind it if it has "
    "several bytes), bool, string, decimal";

std::string_view without_suffix(std::string_view name, std::string_view suffix) {
  if (name.size() <= suffix.size() || name.substr(name.size() - suffix.size()) != suffix) return {};
  return name.substr(0, name.size() - suffix.size());
}

const TypeName* find_type(std::string_view name) {
  for (const TypeName& type : kTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

void parse_type(Settings& point, FrameField& field) {
  const std::string word = point.required_text("type", "how it lies in the frame, like type = \"uint16\"");
  if (word.empty()) return;
  const TypeName* type = find_type(word);
  for (const bool little : {false, true}) {
    const TypeName* ordered = find_type(without_suffix(word, little ? "le" : "be"));
    if (type != nullptr || ordered == nullptr || ordered->size < 2) continue;
    type = ordered;
    field.little = little;
    break;
  }
  if (type == nullptr) {
    point.problem("type", "must be one of " + std::string(kTypeWords) + ", not \"" + word + "\"");
    return;
  }
  field.kind = type->kind;
  field.size = type->size;
}

bool parse_range(std::string_view text, FrameField::Bits& bits) {
  const auto dash = text.find('-');
  const auto number = [](std::string_view digits, unsigned& value) {
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return failed == std::errc{} && end == digits.data() + digits.size();
  };
  if (dash == std::string_view::npos) return number(text, bits.low) && number(text, bits.high);
  return number(text.substr(0, dash), bits.low) && number(text.substr(dash + 1), bits.high) && bits.low <= bits.high;
}

void parse_bits(Settings& point, FrameField& field) {
  const ConfigNode* node = point.node("bits");
  if (node == nullptr) {
    if (field.kind == FieldKind::boolean) field.bits = FrameField::Bits{0, 0};
    return;
  }
  FrameField::Bits bits;
  bool good = false;
  // holds_alternative and get, not get_if: clang 14 stumbles over the address of a value whose type holds itself.
  if (std::holds_alternative<std::int64_t>(node->value)) {
    const auto number = std::get<std::int64_t>(node->value);
    bits.low = bits.high = static_cast<unsigned>(number);
    good = number >= 0;
  } else if (std::holds_alternative<std::string>(node->value)) {
    good = parse_range(std::get<std::string>(node->value), bits);
  }
  const bool whole = field.kind == FieldKind::unsigned_number || field.kind == FieldKind::boolean;
  if (!whole) {
    point.problem("bits", "bits are taken from an unsigned type, as type = \"uint16\"");
  } else if (!good || bits.high >= field.size * kBitsPerByte) {
    point.problem("bits", "a bit or a range of bits is needed, counted from 0 at the lowest, up to " +
                              std::to_string(field.size * kBitsPerByte - 1) + ": bits = 3 or bits = \"0-3\"");
  } else if (field.kind == FieldKind::boolean && bits.low != bits.high) {
    point.problem("bits", "a bool is one bit; for several use type = \"uint8\"");
  } else {
    field.bits = bits;
  }
}

std::uint64_t raw_number(std::string_view bytes, bool little) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value = (value << kBitsPerByte) | static_cast<std::uint8_t>(bytes[little ? bytes.size() - 1 - i : i]);
  }
  return value;
}

std::int64_t signed_number(std::uint64_t raw, std::size_t size) {
  const auto unused = static_cast<unsigned>(8 - size) * kBitsPerByte;
  return static_cast<std::int64_t>(raw << unused) >> unused;
}

Result<RawValue> read_bcd(std::uint64_t raw, std::size_t size) {
  std::int64_t value = 0;
  for (auto shift = static_cast<int>(size) * 8 - 4; shift >= 0; shift -= 4) {
    const auto digit = static_cast<std::int64_t>((raw >> shift) & 0xFU);
    if (digit > 9) return Error{Fault::malformed, "the field is no BCD number"};
    value = value * 10 + digit;
  }
  return RawValue{value, raw};
}

RawValue read_float(std::uint64_t raw, std::size_t size) {
  if (size == sizeof(double)) {
    double value = 0.0;
    std::memcpy(&value, &raw, sizeof value);
    return RawValue{value, raw};
  }
  const auto narrow = static_cast<std::uint32_t>(raw);
  float value = 0.0F;
  std::memcpy(&value, &narrow, sizeof value);
  return RawValue{static_cast<double>(value), raw};
}

Result<RawValue> unsigned_value(std::uint64_t raw) {
  if (raw <= static_cast<std::uint64_t>(INT64_MAX)) return RawValue{static_cast<std::int64_t>(raw), raw};
  return RawValue{raw, raw};
}

Result<RawValue> read_string(std::string_view bytes) {
  const std::string_view text = trimmed(bytes.substr(0, bytes.find('\0')));
  if (text.empty()) return Error{Fault::not_available, "the sensor sent nothing here"};
  return RawValue{as_utf8(text), std::nullopt};
}

}  // namespace

FrameField parse_frame_field(Settings& point, bool little) {
  FrameField field;
  field.little = little;
  field.offset = static_cast<int>(point.integer("at", 0, -kMaxOffset, kMaxOffset));
  if (!point.has("at")) point.problem("at", "where in the frame? at = 0 is its first byte");
  parse_type(point, field);
  const bool text = field.kind == FieldKind::text || field.kind == FieldKind::decimal;
  if (text) {
    field.size = static_cast<std::size_t>(point.integer("length", 0, 1, kMaxTextLength));
    if (!point.has("length")) point.problem("length", "how many characters? length = 8");
  } else if (point.has("length")) {
    point.problem("length", "only a string or a decimal has a length; leave it out");
  }
  if (field.kind == FieldKind::decimal) {
    field.decimal.not_available = point.texts("not_available_text", {});
    field.decimal.suffix = trimmed(point.text("suffix", ""));
  }
  parse_bits(point, field);
  return field;
}

Result<RawValue> read_field(std::string_view frame, const FrameField& field) {
  const long at = field.offset < 0 ? static_cast<long>(frame.size()) + field.offset : field.offset;
  if (at < 0 || static_cast<std::size_t>(at) + field.size > frame.size()) {
    return Error{Fault::malformed, "the frame has only " + std::to_string(frame.size()) + " bytes"};
  }
  const std::string_view bytes = frame.substr(static_cast<std::size_t>(at), field.size);
  if (field.kind == FieldKind::text) return read_string(bytes);
  if (field.kind == FieldKind::decimal) return read_text(bytes, field.decimal);
  const std::uint64_t raw = raw_number(bytes, field.little);
  if (field.bits) {
    const unsigned count = field.bits->high - field.bits->low + 1;
    const std::uint64_t mask = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    const std::uint64_t part = (raw >> field.bits->low) & mask;
    if (field.kind == FieldKind::boolean) return RawValue{part != 0, part};
    return unsigned_value(part);
  }
  switch (field.kind) {
    case FieldKind::signed_number:
      return RawValue{signed_number(raw, field.size), raw};
    case FieldKind::floating:
      return read_float(raw, field.size);
    case FieldKind::bcd:
      return read_bcd(raw, field.size);
    default:
      return unsigned_value(raw);
  }
}

}  // namespace baudbridge
