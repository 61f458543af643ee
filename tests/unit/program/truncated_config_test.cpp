// A configuration file that ends too early: the disk was full, or the copy was interrupted.
#include <algorithm>
#include <cctype>

#include "src/config/config.h"
#include "support/catch.h"
#include "support/figure.h"

using namespace baudbridge;
using baudbridge::testing::figure;

namespace {

const std::string kWhole = R"([gateway]
id = "plant-7"
state_dir = "/var/lib/baudbridge"
[broker]
urls = ["mqtts://broker.example.com:8883", "mqtt://other.example.com"]
protocol = "3.1.1"
qos = 2
keep_alive = "30s"
[queue]
durability = "strict"
max_size = "64MiB"
[[bus]]
id = "rs485"
adapter = "modbus-rtu"
port = "/dev/ttyUSB0"
baud = 19200
parity = "even"
[[device]]
id = "boiler"
bus = "rs485"
address = 17
[[device.point]]
id = "state"
table = "holding"
register = 40
type = "uint16"
map = { 0 = "off", 1 = "heating" }
writable = true
[[device.point]]
id = "flow_temp"
table = "input"
register = 10
scale = 0.1
not_available = ["0x7FFF"]
)";

}  // namespace

TEST_CASE("a configuration file cut at any byte is rejected or is a whole file of fewer lines (35)") {
  REQUIRE(parse_config(kWhole, "f.toml").good());
  std::size_t refused = 0;
  std::size_t fewer_lines = 0;
  std::size_t shorter_number = 0;
  for (std::size_t size = 0; size < kWhole.size(); ++size) {
    INFO("cut after " << size << " bytes: ..."
                      << kWhole.substr(size < 20 ? 0 : size - 20, std::min<std::size_t>(size, 20)));
    const Config cut = parse_config(kWhole.substr(0, size), "f.toml");
    if (!cut.good()) {
      ++refused;
      for (const auto& problem : cut.problems) CHECK(problem.place.line > 0);
      continue;
    }
    const bool at_line_end = size == 0 || kWhole[size] == '\n' || kWhole[size - 1] == '\n';
    if (at_line_end) {
      ++fewer_lines;
    } else {
      // Only a number may be cut without becoming invalid TOML.
      ++shorter_number;
      CHECK(std::isdigit(static_cast<unsigned char>(kWhole[size - 1])) != 0);
      CHECK((std::isdigit(static_cast<unsigned char>(kWhole[size])) != 0 || kWhole[size] == '.'));
    }
  }
  CHECK(refused + fewer_lines + shorter_number == kWhole.size());
  figure("35", kWhole.size(), " cuts: ", refused, " refused whole, ", fewer_lines, " whole files of fewer lines, ",
         shorter_number, " that end in a number that goes on, 0 half applied, 0 crashes");
}
