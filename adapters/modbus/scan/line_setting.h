#pragma once
// How characters stand on a serial line, as far as `scan` tries it.
#include <string>

#include "adapters/serial/serial_port.h"

namespace baudbridge::scan {

/// One way to listen to a serial line.
struct LineSetting {
  int baud = 9600;
  Parity parity = Parity::none;
  int stop_bits = 1;
  int data_bits = 8;
  friend bool operator==(const LineSetting&, const LineSetting&) = default;
};

/// "none": the word of the configuration.
[[nodiscard]] inline const char* parity_word(Parity parity) {
  return parity == Parity::none ? "none" : parity == Parity::even ? "even" : "odd";
}

/// "9600 8N1"
[[nodiscard]] inline std::string setting_text(const LineSetting& setting) {
  const char letter = setting.parity == Parity::none ? 'N' : setting.parity == Parity::even ? 'E' : 'O';
  return std::to_string(setting.baud) + " " + std::to_string(setting.data_bits) + letter +
         std::to_string(setting.stop_bits);
}

[[nodiscard]] inline LineConfig line_config(const std::string& port, const LineSetting& setting) {
  LineConfig line;
  line.port = port;
  line.baud = setting.baud;
  line.data_bits = setting.data_bits;
  line.parity = setting.parity;
  line.stop_bits = setting.stop_bits;
  return line;
}

}  // namespace baudbridge::scan
