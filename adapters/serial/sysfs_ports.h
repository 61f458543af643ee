#pragma once
// Serial ports as the kernel describes them in sysfs; needs no library.
#include <string>

#include "adapters/serial/port_list.h"
#include "core/result.h"

namespace baudbridge {

/// Every serial port in sysfs, one by one: what cannot be read of one port does not cost the others. A port's node is
/// the one that has the kernel's device number, whatever its name; a container may give it another name. Errors:  io
/// when sysfs has no ttys at all (it is not mounted). Source:  Linux, Documentation/ABI: /sys/class/tty/NAME/dev and
/// /type, /sys/bus/usb/devices/DEVICE/idVendor and idProduct.
Result<PortList> ports_in_sysfs(const DeviceTree& tree);

/// "188:0", the device number of a character device as sysfs writes it; empty: the path is none.
[[nodiscard]] std::string device_number(const std::string& path);

/// The kernel's name of the tty behind a node ("ttyUSB0"); the node's own name where sysfs does not list its number.
[[nodiscard]] std::string tty_of_node(const std::string& node, const std::string& sysfs);

}  // namespace baudbridge
