#include <iostream>
#include <string>

#include "adapters/serial/port_list.h"
#include "bridge/json_text.h"
#include "src/cli/commands.h"
#include "src/cli/text_table.h"

namespace baudbridge {
namespace {

/// How a configuration names the port so that it is found again wherever it is plugged in.
std::string configured_as(const PortInfo& port) {
  if (port.usb_id.empty()) return port.node;
  return "usb:" + port.usb_id + (port.serial_number.empty() ? "" : ":" + port.serial_number);
}

std::string product_text(const PortInfo& port) {
  if (port.manufacturer.empty()) return port.product;
  return port.product.empty() ? port.manufacturer : port.manufacturer + ", " + port.product;
}

void print_table(const std::vector<PortInfo>& ports) {
  TextTable table;
  table.row({"PORT", "USB ID", "SERIAL NUMBER", "PRODUCT", "port ="});
  for (const auto& port : ports) {
    const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : printable(text); };
    table.row({port.node, or_dash(port.usb_id), or_dash(port.serial_number), or_dash(product_text(port)),
               "\"" + printable(configured_as(port)) + "\""});
  }
  for (const auto& line : table.lines()) std::cout << line << '\n';
}

void print_json(const std::vector<PortInfo>& ports) {
  std::string json;
  for (const auto& port : ports) {
    if (!json.empty()) json += ',';
    JsonObject object(json);
    object.text("port", port.node).text("by_id", port.by_id).text("usb_id", port.usb_id);
    object.text("serial_number", port.serial_number).text("manufacturer", port.manufacturer);
    object.text("product", port.product).text("configured_as", configured_as(port));
    object.close();
  }
  std::cout << '[' << json << "]\n";
}

int ports(const Options& options) {
  const auto found = list_ports();
  if (!found) {
    std::cerr << "baudbridge: " << printable(found.error().what) << '\n';
    return kFailed;
  }
  const auto& list = found->ports;
  if (options.json) {
    print_json(list);
  } else if (!list.empty()) {
    print_table(list);
  }
  if (list.empty()) std::cerr << "no serial port found; is the adapter plugged in, and does 'dmesg' list it?\n";
  if (!found->without_node.empty()) std::cerr << printable(missing_nodes_text(found->without_node)) << '\n';
  for (const auto& port : list) {
    if (const auto advice = latency_advice(port.node); !advice.empty()) std::cerr << printable(advice) << '\n';
  }
  return kDone;
}

}  // namespace

Command ports_command() {
  Command command;
  command.name = "ports";
  command.summary = "lists the serial ports with USB ids, serial number and product";
  command.details =
      "The last column is the value for 'port =' in a [[bus]]: a \"usb:...\" name is found again after a replug, in\n"
      "whichever socket the adapter is then.";
  command.run = ports;
  command.takes_config = false;
  return command;
}

}  // namespace baudbridge
