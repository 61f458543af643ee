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
  std::string tty;      ///< the kernel's name, "ttyUSB0"; the node may have another one in a container
};

/// The serial ports of this machine.
struct PortList {
  std::vector<PortInfo> ports;         ///< those that can be opened by their node, in the order of the nodes' names
  std::vector<PortInfo> without_node;  ///< the kernel has them, /dev has no node of them (a container): `node` is empty
};

/// Where the kernel describes devices and where their nodes are; a test has folders of its own.
struct DeviceTree {
  std::string sysfs = "/sys";
  std::string dev = "/dev";
  friend bool operator==(const DeviceTree&, const DeviceTree&) = default;
};

/// The serial ports, each described by libserialport where the library can, else from sysfs. A port that cannot be
/// described does not cost the others.
/// Errors:  io when the kernel's list cannot be read at all.
Result<PortList> list_ports(const DeviceTree& tree = {});

/// "/dev/ttyUSB0" or a symlink: the node it is now. "usb:VID:PID[:SERIAL]": the node of the one port that matches;
/// unplugged if there is none (the text lists the ports, or reports that only the node is missing), config if several
/// match.
Result<std::string> resolve_port(const std::string& name, const DeviceTree& tree = {});

/// "usb:0403:6001" or "usb:0403:6001:SERIAL", taken apart.
struct UsbName {
  std::string usb_id;         ///< "0403:6001", lower case
  std::string serial_number;  ///< empty: any
};
/// Nothing if it is no such name (an ordinary path, or a misspelt one).
[[nodiscard]] std::optional<UsbName> parse_usb_name(std::string_view name);

/// The one of these ports that the name means; errors as resolve_port.
Result<std::string> find_usb_port(const UsbName& name, const PortList& list);

/// One line that names the ports without a device node and what to do; empty if there are none.
[[nodiscard]] std::string missing_nodes_text(std::span<const PortInfo> without_node);

/// What to do about a USB adapter that holds received bytes back (FTDI's latency timer above 2 ms); empty: nothing.
[[nodiscard]] std::string latency_advice(const std::string& node, const std::string& sysfs = "/sys");

}  // namespace baudbridge
