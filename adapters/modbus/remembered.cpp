#include "adapters/modbus/remembered.h"

#include <algorithm>

namespace baudbridge {
namespace {

constexpr std::string_view kHead =
    "# What was learned about the devices of this bus. May be deleted: it is learned again.\n";
constexpr std::string_view kDevice = "device ";

std::string name_of(const UnitConfig& unit) {
  return unit.id + " " + std::to_string(unit.unit);
}

}  // namespace

std::string remembered(std::span<const UnitReader> units) {
  std::string text(kHead);
  for (const UnitReader& unit : units) {
    const std::string facts = unit.knowledge().save();
    if (!facts.empty()) text += std::string(kDevice) + name_of(unit.unit()) + "\n" + facts;
  }
  return text;
}

void recall(std::string_view text, std::span<UnitReader> units, Steady now) {
  for (UnitReader& unit : units) {
    const std::string head = std::string(kDevice) + name_of(unit.unit()) + "\n";
    std::size_t at = text.find(head);
    if (at == std::string_view::npos || (at > 0 && text[at - 1] != '\n')) continue;
    at += head.size();
    const std::size_t next = text.find(kDevice, at);
    unit.set_knowledge(Knowledge::load(text.substr(at, std::min(next, text.size()) - at), now));
  }
}

}  // namespace baudbridge
