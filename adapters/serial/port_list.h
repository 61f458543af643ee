#pragma once
#include <string>
#include <vector>

#include "core/result.h"

namespace baudbridge {

/// One serial port of this machine.
struct PortInfo {
  std::string node;           ///< "/dev/ttyUSB0"
  std::string by_id;          ///< "/dev/serial/by-id/...", empty: none
  std::string usb_id;         ///< "0403:6001", empty: not USB
  std::string serial_number;  ///< empty: none
  std::string manufacturer;
  std::string product;        ///< or the driver's description
};

/// The serial ports that libserialport lists, in the order of their names.
Result<std::vector<PortInfo>> list_ports();

/// "/dev/ttyUSB0" or a symlink: the node it is now. "usb:VID:PID[:SERIAL]": the node of the one port that matches;
/// unplugged if there is none (the text lists what is there), config if several match.
Result<std::string> resolve_port(const std::string& name);

}  // namespace baudbridge
