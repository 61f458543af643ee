#pragma once
// Bytes recorded from a device and the readings expected from them: tests/captures/*.toml.
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/config_tree.h"

namespace baudbridge::testing {

/// What is expected of one point: a value, or a fault's word as "!checksum".
using Expected = std::variant<bool, double, std::string>;
using ExpectedRecord = std::vector<std::pair<std::string, Expected>>;

struct Exchange {
  std::string request;  ///< as bytes
  std::string reply;
};

struct Capture {
  std::string id;        ///< the file's name
  std::string adapter;   ///< "serial", "modbus-rtu"
  std::string line;      ///< keys of a [[bus]]: baud, data_bits, parity
  std::string config;    ///< keys of the device, [device.decode] and [[device.point]]
  bool checked = false;  ///< every frame has a checksum
  std::string stream;    ///< what an unsolicited device sends; empty: it is solicited
  std::vector<Exchange> exchanges;
  std::vector<ExpectedRecord> expected;
};

/// Throws std::runtime_error if the file is not there or is none.
Capture load_capture(const std::string& id);
/// The names of all captures.
std::vector<std::string> capture_ids();

/// The value is what was expected: numbers to a millionth.
bool as_expected(const Expected& expected, double number);

}  // namespace baudbridge::testing
