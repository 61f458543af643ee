#include "adapters/registry.h"

#include <algorithm>
#include <array>

#include "adapters/exec/exec_adapter.h"
#include "adapters/modbus/modbus_adapter.h"
#include "adapters/serial/serial_adapter.h"

namespace baudbridge {
namespace {

constexpr std::array kKinds{
    AdapterKind{"modbus-rtu", "modbus", parse_modbus_rtu},
    AdapterKind{"modbus-tcp", "modbus", parse_modbus_tcp},
    AdapterKind{"modbus-rtu-tcp", "modbus", parse_modbus_rtu_tcp},
    AdapterKind{"serial", "serial", parse_serial},
    AdapterKind{"exec", "exec", parse_exec},
};

}  // namespace

std::span<const AdapterKind> adapter_kinds() {
  return kKinds;
}

const AdapterKind* find_adapter_kind(std::string_view name) {
  const auto* const kind =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const AdapterKind& known) { return known.name == name; });
  return kind == kKinds.end() ? nullptr : kind;
}

}  // namespace baudbridge
