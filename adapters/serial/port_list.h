#pragma once
// Which serial ports this machine has, and which one a name of the configuration means.
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
  std::string product;  ///< or the driver's description
};

/// The serial ports that libserialport lists, in the order of their names.
Result<std::vector<PortInfo>> list_ports();

/// "/dev/ttyUSB0" or a symlink: the node it is now. "usb:VID:PID[:SERIAL]": the node of the one port that matches;
/// unplugged if there is none (the text lists what is there), config if several match.
Result<std::string> resolve_port(const std::string& name);

/// "usb:0403:6001" or "usb:0403:6001:SERIAL", taken apart.
struct UsbName {
  std::string usb_id;         ///< "0403:6001", lower case
  std::string serial_number;  ///< empty: any
};
/// Nothing if it is no such name (an ordinary path, or a misspelt one).
[[nodiscard]] std::optional<UsbName> parse_usb_name(std::string_view name);

/// The one of these ports that the name means; errors as resolve_port.
Result<std::string> find_usb_port(const UsbName& name, std::span<const PortInfo> ports);

/// What to do about a USB adapter that holds received bytes back (FTDI's latency timer above 2 ms); empty: nothing.
[[nodiscard]] std::string latency_advice(const std::string& node, const std::string& sysfs = "/sys");

}  // namespace baudbridge
