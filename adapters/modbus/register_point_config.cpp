#include "adapters/modbus/register_point_config.h"

#include <charconv>
#include <optional>
#include <string>

namespace baudbridge {
namespace {

constexpr std::uint32_t kAddresses = 65536;

const Names<Table>& table_names() {
  static const Names<Table> kNames{
      {"coil", Table::coil}, {"discrete", Table::discrete}, {"input", Table::input}, {"holding", Table::holding}};
  return kNames;
}

const Names<RegisterType>& type_names() {
  static const Names<RegisterType> kNames = [] {
    Names<RegisterType> names;
    for (int i = 0; i <= static_cast<int>(RegisterType::string); ++i) {
      const auto type = static_cast<RegisterType>(i);
      names.emplace_back(type_word(type), type);
    }
    return names;
  }();
  return kNames;
}

/// The words for the order of so many bytes, the plain one first; 4-letter words stand for their 64-bit kin too.
Names<RegisterOrder> order_names(unsigned bytes) {
  Names<RegisterOrder> names{{"ABCD", RegisterOrder::abcd},
                             {"CDAB", RegisterOrder::cdab},
                             {"BADC", RegisterOrder::badc},
                             {"DCBA", RegisterOrder::dcba}};
  if (bytes == 8) {
    names.insert(names.end(), {{"ABCDEFGH", RegisterOrder::abcd},
                               {"GHEFCDAB", RegisterOrder::cdab},
                               {"BADCFEHG", RegisterOrder::badc},
                               {"HGFEDCBA", RegisterOrder::dcba}});
  }
  if (bytes <= 2) names.insert(names.end(), {{"AB", RegisterOrder::abcd}, {"BA", RegisterOrder::badc}});
  return names;
}

std::optional<unsigned> to_number(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "3" or "0-3", or the integer 3.
std::optional<BitRange> bits_of(const ConfigNode& node) {
  if (const auto* number = std::get_if<std::int64_t>(&node.value)) {
    if (*number < 0 || *number > 63) return std::nullopt;
    return BitRange{static_cast<unsigned>(*number), static_cast<unsigned>(*number)};
  }
  const auto* text = std::get_if<std::string>(&node.value);
  if (text == nullptr) return std::nullopt;
  const std::string_view word(*text);
  const std::size_t dash = word.find('-');
  const auto low = to_number(word.substr(0, dash));
  const auto high = dash == std::string_view::npos ? low : to_number(word.substr(dash + 1));
  if (!low || !high || *low > *high) return std::nullopt;
  return BitRange{*low, *high};
}

bool is_whole_number(RegisterType type) {
  return type <= RegisterType::uint64;
}

unsigned register_bits(const RegisterFormat& format) {
  return 16U * register_count(format);
}

void parse_bits(Settings& point, RegisterFormat& format) {
  const ConfigNode* node = point.node("bits");
  if (node == nullptr) return;
  if (!is_whole_number(format.type)) {
    point.problem("bits", "a " + std::string(type_word(format.type)) +
                              " has no bits to choose from; use a whole-number "
                              "type such as uint16, or leave bits out");
    return;
  }
  const auto range = bits_of(*node);
  const unsigned there = register_bits(format);
  if (!range || range->high >= there) {
    point.problem("bits", "a bit or a range of bits is needed, counted from 0 at the least significant, for " +
                              std::string(type_word(format.type)) + " up to " + std::to_string(there - 1) +
                              ": \"3\" or \"0-3\"");
    return;
  }
  const unsigned width = range->high - range->low + 1;
  if (format.type == RegisterType::boolean && width != 1) {
    point.problem("bits", "a bool is one bit; for several use type = \"uint16\"");
    return;
  }
  if ((format.type == RegisterType::int8 || format.type == RegisterType::uint8) && width > 8) {
    point.problem("bits", "a " + std::string(type_word(format.type)) + " has at most 8 bits; use a wider type");
    return;
  }
  format.bits = *range;
}

void parse_length(Settings& point, RegisterFormat& format) {
  if (format.type == RegisterType::string) {
    if (!point.has("length")) {
      point.problem("length", "a string needs length, its size in registers (2 characters each)");
      return;
    }
    format.length = static_cast<std::uint16_t>(point.integer("length", 1, 1, kMaxReadRegisters));
  } else if (point.has("length")) {
    point.problem("length",
                  "only a string has a length; the size of a " + std::string(type_word(format.type)) + " is known");
  }
}

/// coil and discrete: one bit, without a layout.
void parse_bit(Settings& point, RegisterPoint& into) {
  into.format.type = point.choice("type", type_names(), RegisterType::boolean);
  if (into.format.type != RegisterType::boolean) {
    point.problem("type", "a coil or discrete input is one bit: type = \"bool\"");
    into.format.type = RegisterType::boolean;
  }
  for (const char* key : {"order", "bits", "length"}) {
    if (point.has(key)) {
      point.problem(key, std::string("a coil or discrete input is one bit and has no ") + key + "; leave it out");
    }
  }
}

void parse_registers(Settings& point, RegisterPoint& into) {
  into.format.type = point.choice("type", type_names(), RegisterType::uint16);
  parse_length(point, into.format);
  const unsigned bytes = into.format.type == RegisterType::string ? 2U : 2U * register_count(into.format);
  into.format.order = point.choice("order", order_names(bytes), RegisterOrder::abcd);
  parse_bits(point, into.format);
}

}  // namespace

RegisterPoint parse_register_point(Settings& point, const Point& common, const UnitConfig& unit, bool write_multiple) {
  RegisterPoint parsed;
  const std::string table = point.required_text("table", "one of coil, discrete, input, holding");
  if (!table.empty()) parsed.table = point.choice("table", table_names(), Table::holding);
  if (!point.has("register")) {
    point.problem("register", "a register is needed: the address on the wire, from 0");
  } else {
    parsed.address = static_cast<std::uint16_t>(point.integer("register", 0, 0, kAddresses - 1));
  }
  if (holds_bits(parsed.table)) {
    parse_bit(point, parsed);
  } else {
    parse_registers(point, parsed);
  }
  parsed.write_multiple = point.flag("write_multiple", write_multiple);
  if (parsed.end() > kAddresses) {
    point.problem("register", "this value would take registers up to " + std::to_string(parsed.end() - 1) +
                                  "; the last one is 65535");
  }
  if (!holds_bits(parsed.table) && parsed.size() > unit.max_registers) {
    point.problem("register", "this value takes " + std::to_string(parsed.size()) +
                                  " registers, the device gives at most max_registers = " +
                                  std::to_string(unit.max_registers) + " in one response");
  }
  if (common.writable && !can_be_written(parsed.table)) {
    point.problem("writable", "a discrete input or input register cannot be written; only coil and holding can");
  }
  return parsed;
}

}  // namespace baudbridge
