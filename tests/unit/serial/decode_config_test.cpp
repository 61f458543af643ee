#include "adapters/serial/port_list.h"
#include "described_device.h"
#include "support/catch.h"
#include "support/moments.h"
#include "support/pty.h"

using namespace baudbridge;
using namespace baudbridge::testing;
using namespace std::chrono_literals;

namespace {

std::vector<Reading> decoded(const DescribedDevice& device, std::string_view frame) {
  std::vector<PointValue> values;
  const auto decoder = device.device().decode.decoder();
  if (decoder->decode(frame, values) != FrameKind::own) return {};
  return device.shaped(values);
}

bool refused(const std::string& device, const std::string& what, const std::string& bus = "port = \"/dev/ttyUSB0\"\n") {
  const DescribedDevice described(device, bus);
  INFO(device << "\n" << described.problem_text());
  return described.problem_text().find(what) != std::string::npos;
}

const std::string kColumn = "\n[[device.point]]\nid = \"t\"\ncolumn = 0\n";

}  // namespace

TEST_CASE("columns are found by number or by name, between separators or blanks") {
  const DescribedDevice device(R"(
[device.decode]
kind = "columns"
separator = ";"
columns = ["time", "t", "h"]
[[device.point]]
id = "t"
unit = "°C"
[[device.point]]
id = "humidity"
column = "h"
[[device.point]]
id = "time"
column = 0
type = "text"
)");
  REQUIRE(device.problem_text().empty());
  CHECK(decoded(device, "12:00;21.5;40") == std::vector<Reading>{{"t", Value{21.5}},
                                                                 {"humidity", Value{std::int64_t{40}}},
                                                                 {"time", Value{std::string("12:00")}}});
  CHECK(decoded(device, "12:00;21.5").empty());
  CHECK(decoded(device, "12:00;21.5;40;1").empty());
  CHECK(decoded(device, "12:00;;40")[0].value.error().kind == Fault::not_available);
  const DescribedDevice blanks("[device.decode]\nkind = \"columns\"\nseparator = \" \"\n" + kColumn);
  CHECK(decoded(blanks, "  12.5 \t 7 ") == std::vector<Reading>{{"t", Value{12.5}}});
}

TEST_CASE("named values are found in any order, with their units, and others are let alone") {
  const DescribedDevice device(R"(
[device.decode]
kind = "key-value"
[[device.point]]
id = "wind_speed"
key = "Sm"
suffix = "M"
[[device.point]]
id = "Ta"
suffix = "C"
)");
  REQUIRE(device.problem_text().empty());
  CHECK(decoded(device, "0R0,Dm=027D,Ta=21.5C,Sm=0.1M") ==
        std::vector<Reading>{{"wind_speed", Value{0.1}}, {"Ta", Value{21.5}}});
  CHECK(decoded(device, "Ta : -3.5 C") == std::vector<Reading>{{"Ta", Value{-3.5}}});
  CHECK(decoded(device, "0R0,Sm=0.1K")[0].value.error().kind == Fault::malformed);
  CHECK(decoded(device, "booting...").empty());
}

TEST_CASE("JSON lines keep their types, and a path leads into them") {
  const DescribedDevice device(R"(
[device.decode]
kind = "json"
[[device.point]]
id = "t"
[[device.point]]
id = "speed"
path = "wind.0.speed"
[[device.point]]
id = "state"
path = "/a.b"
[[device.point]]
id = "n"
type = "number"
)");
  REQUIRE(device.problem_text().empty());
  CHECK(decoded(device, R"({"t":21.5,"wind":[{"speed":3}],"a.b":"ok","n":"7"})") ==
        std::vector<Reading>{{"t", Value{21.5}},
                             {"speed", Value{std::int64_t{3}}},
                             {"state", Value{std::string("ok")}},
                             {"n", Value{std::int64_t{7}}}});
  CHECK(decoded(device, R"( {"t":true,"wind":[]})") == std::vector<Reading>{{"t", Value{true}}});
  CHECK(decoded(device, R"({"t":null})")[0].value.error().kind == Fault::not_available);
  CHECK(decoded(device, R"({"t":[1]})")[0].value.error().kind == Fault::malformed);
  for (const char* line : {"", "{", "[1]", "21.5", R"({"t":21.)", R"({"x":1})", "{\"t\":\"\xff\"}"}) {
    INFO(line);
    CHECK(decoded(device, line).empty());
  }
  CHECK(decoded(device, "{\"t\":" + std::string(400, '[') + std::string(400, ']') + "}")[0].value.error().kind ==
        Fault::malformed);
}

TEST_CASE("a regular expression takes a line apart by its groups' names") {
  const DescribedDevice device(R"(
[device.decode]
kind = "pattern"
pattern = '^S (?<state>[SD]) +(?<weight>-?[0-9.]+) g$'
[[device.point]]
id = "weight"
[[device.point]]
id = "stable"
group = "state"
type = "text"
)");
  REQUIRE(device.problem_text().empty());
  CHECK(decoded(device, "S S     12.73 g") ==
        std::vector<Reading>{{"weight", Value{12.73}}, {"stable", Value{std::string("S")}}});
  CHECK(decoded(device, "S I").empty());
}

TEST_CASE("a regular expression that runs away is cut off") {
  const DescribedDevice device(R"(
[device.decode]
kind = "pattern"
pattern = '^(?<x>(a+)+)$'
[[device.point]]
id = "x"
type = "text"
)");
  CHECK(decoded(device, std::string(500, 'a') + "!").empty());
}

TEST_CASE("lines of many kinds in turn each give the points that match them") {
  const DescribedDevice device(R"(
[device.decode]
kind = "columns"
match = '^\$'
[[device.point]]
id = "angle"
column = 1
match = 'MWV'
[[device.point]]
id = "depth"
column = 1
match = 'DPT'
)");
  CHECK(decoded(device, "$IIMWV,271.0,R") == std::vector<Reading>{{"angle", Value{271.0}}});
  CHECK(decoded(device, "$SDDPT,5.5,") == std::vector<Reading>{{"depth", Value{5.5}}});
  CHECK(decoded(device, "$GPGLL,1,2").empty());
  CHECK(decoded(device, "boot,MWV").empty());
}

TEST_CASE("a frame of another message is not taken") {
  const DescribedDevice device(R"(
[device.decode]
kind = "frames"
start = "FF"
length = 4
match = { at = 1, bytes = "86" }
[[device.point]]
id = "co2"
at = 2
type = "uint16"
)");
  REQUIRE(device.problem_text().empty());
  CHECK(decoded(device, from_hex("FF 86 02 60")) == std::vector<Reading>{{"co2", Value{std::int64_t{608}}}});
  CHECK(decoded(device, from_hex("FF 87 02 60")).empty());
}

TEST_CASE("a solicited device has a request, an unsolicited one a silence") {
  const DescribedDevice asked(
      "address = 7\ntimeout = \"5s\"\n[device.decode]\nkind = \"columns\"\nrequest = \"{address}R\\r\\n\"\n" + kColumn);
  REQUIRE(asked.problem_text().empty());
  CHECK(asked.device().request == "7R\r\n");
  CHECK_FALSE(asked.plan().unsolicited);
  CHECK(asked.plan().poll_limit >= 10s);
  const DescribedDevice hex("address = 171\n[device.decode]\nkind = \"columns\"\nrequest_hex = \"01 {address} 0D\"\n" +
                            kColumn);
  CHECK(hex.device().request == from_hex("01 AB 0D"));
  const DescribedDevice unsolicited("silence = \"2m\"\n[device.decode]\nkind = \"columns\"\n" + kColumn);
  CHECK(unsolicited.plan().unsolicited);
  CHECK(unsolicited.plan().silence == 2min);
  const DescribedDevice slow("[device.decode]\nkind = \"columns\"\n" + kColumn, "port = \"/dev/ttyUSB0\"\n", 60s);
  CHECK(slow.plan().silence == 180s);
}

TEST_CASE("the load of a line is known where all responses have a fixed length") {
  const std::string co2 =
      "[device.decode]\nkind = \"frames\"\nrequest_hex = \"FF 01 86\"\nstart = \"FF\"\nlength = 9\n";
  const DescribedDevice known(co2, "port = \"/dev/ttyUSB0\"\nbaud = 1200\npause = \"20ms\"\n", 1s);
  CHECK(known.bus().load == Approx(12 * 10 / 1200.0 + 0.02));
  CHECK(known.bus().load_detail == "1 device polled at 1200 baud");
  const DescribedDevice unknown("[device.decode]\nkind = \"columns\"\nrequest = \"a\"\n" + kColumn);
  CHECK(unknown.bus().load < 0);
  CHECK_THAT(unknown.bus().load_detail, ContainsSubstring("no fixed length"));
  const DescribedDevice unsolicited("[device.decode]\nkind = \"columns\"\n" + kColumn);
  CHECK(unsolicited.bus().load < 0);
}

TEST_CASE("a problem in a device's description is reported with the remedy") {
  CHECK(refused("[[device.point]]\nid = \"t\"\n", "columns, key-value, json, pattern, frames"));
  CHECK(refused("[device.decode]\nkind = \"colums\"\n", "columns"));
  CHECK(refused("[device.decode]\nkind = \"columns\"\nseperator = \";\"\n" + kColumn, "separator"));
  CHECK(refused("[device.decode]\nkind = \"columns\"\n[[device.point]]\nid = \"t\"\n", "which column?"));
  CHECK(
      refused("[device.decode]\nkind = \"columns\"\ncolumns = [\"a\"]\n[[device.point]]\nid = \"t\"\ncolumn = \"b\"\n",
              "no column is called \"b\""));
  CHECK(refused("[device.decode]\nkind = \"pattern\"\npattern = '(?<t>'\n[[device.point]]\nid = \"t\"\n",
                "wrong at character"));
  CHECK(
      refused("[device.decode]\nkind = \"pattern\"\npattern = '(?<x>.)'\n[[device.point]]\nid = \"t\"\n", "it has: x"));
  CHECK(refused("[device.decode]\nkind = \"columns\"\nmatch = '['\n" + kColumn, "wrong at character"));
  CHECK(refused("[device.decode]\nkind = \"json\"\n[[device.point]]\nid = \"t\"\npath = \"/~2\"\n", "RFC 6901"));
  CHECK(refused("[device.decode]\nkind = \"frames\"\nstart = \"4\"\nlength = 2\n", "hexadecimal"));
  CHECK(refused("[device.decode]\nkind = \"frames\"\nstart = \"42\"\n", "how long is a frame?"));
  CHECK(refused("[device.decode]\nkind = \"frames\"\nlength = 4\n", "distinguished from noise"));
  CHECK(refused("[device.decode]\nkind = \"frames\"\nstart = \"42\"\nlength = 4\nchecksum = \"sum9\"\n", "sum8"));
  CHECK(
      refused("[device.decode]\nkind = \"frames\"\nstart = \"42\"\nlength = 4\nchecksum = { kind = \"sum8\", over = "
              "\"1-2\" }\n",
              "first..last"));
  CHECK(refused(
      "[device.decode]\nkind = \"frames\"\nstart = \"42\"\nlength = 4\n[[device.point]]\nid = \"t\"\nat = 3\ntype = "
      "\"uint16\"\n",
      "lies outside"));
  CHECK(refused(
      "[device.decode]\nkind = \"frames\"\nstart = \"7E\"\nlength = 9\nescape = { byte = \"7D\", xor = \"20\" }\n",
      "needs start and end"));
  CHECK(refused("[device.decode]\nkind = \"columns\"\nrequest = \"a\"\nrequest_hex = \"41\"\n" + kColumn, "not both"));
  CHECK(refused("[device.decode]\nkind = \"columns\"\nrequest = \"{address}\"\n" + kColumn, "has no address"));
  CHECK(refused("silence = \"1s\"\n[device.decode]\nkind = \"columns\"\nrequest = \"a\"\n" + kColumn, "has a timeout"));
}

TEST_CASE("a problem in a line's settings is reported with the remedy") {
  const std::string device = "[device.decode]\nkind = \"columns\"\n" + kColumn;
  CHECK(refused(device, "port", "baud = 9600\n"));
  CHECK(refused(device, "usb:VID:PID", "port = \"usb:403:6001\"\n"));
  CHECK(refused(device, "a path like /dev/ttyUSB0", "port = \"ttyUSB0\"\n"));
  CHECK(refused(device, "none, even, odd", "port = \"/dev/ttyS0\"\nparity = \"evn\"\n"));
  CHECK(refused(device, "leave out flow", "port = \"/dev/ttyS0\"\nrs485 = \"rts\"\nflow = \"rtscts\"\n"));
  CHECK(refused(device, "leave out rts", "port = \"/dev/ttyS0\"\nrs485 = \"kernel\"\nrts = true\n"));
  const DescribedDevice good(device,
                             "port = \"usb:0403:6001:A1\"\nbaud = 4800\ndata_bits = 7\nparity = \"even\"\n"
                             "stop_bits = 2\nflow = \"xonxoff\"\ndtr = false\nrts = true\n");
  CHECK(good.problem_text().empty());
  const LineConfig& line = good.config().line;
  CHECK(line.baud == 4800);
  CHECK(line.data_bits == 7);
  CHECK(line.parity == Parity::even);
  CHECK(line.flow_xonxoff);
  CHECK(line.dtr == false);
  CHECK(line.rts == true);
  CHECK(line.bits_per_character() == 11.0);
}

TEST_CASE("a USB port is found by its ids, and by its serial number among several") {
  const PortList ports{{{"/dev/ttyS0", "", "", "", "", "16550A", "ttyS0"},
                        {"/dev/ttyUSB0", "", "0403:6001", "A1", "FTDI", "FT232R", "ttyUSB0"},
                        {"/dev/ttyUSB1", "", "0403:6001", "B2", "FTDI", "FT232R", "ttyUSB1"},
                        {"/dev/ttyUSB2", "", "1a86:7523", "", "", "CH340", "ttyUSB2"}},
                       {}};
  CHECK(*find_usb_port(*parse_usb_name("usb:1A86:7523"), ports) == "/dev/ttyUSB2");
  CHECK(*find_usb_port(*parse_usb_name("usb:0403:6001:B2"), ports) == "/dev/ttyUSB1");
  auto several = find_usb_port(*parse_usb_name("usb:0403:6001"), ports);
  REQUIRE_FALSE(several);
  CHECK(several.error().kind == Fault::config);
  auto none = find_usb_port(*parse_usb_name("usb:0403:6001:C3"), ports);
  REQUIRE_FALSE(none);
  CHECK(none.error().kind == Fault::unplugged);
  CHECK_THAT(none.error().what, ContainsSubstring("usb:0403:6001:A1 (/dev/ttyUSB0)"));
  for (const char* wrong : {"usb:", "usb:0403", "usb:0403:600", "usb:0403:6001:", "usb:0403-6001", "usb:xyzw:6001"}) {
    INFO(wrong);
    CHECK_FALSE(parse_usb_name(wrong));
  }
}

TEST_CASE("a USB port whose node alone is missing is not taken for unplugged, and does not hide its twin") {
  const PortInfo missing{"", "", "0403:6001", "A1", "FTDI", "FT232R", "ttyUSB0"};
  const PortInfo usable{"/dev/ttyUSB1", "", "0403:6001", "B2", "FTDI", "FT232R", "ttyUSB1"};
  const auto none = find_usb_port({"0403:6001", "A1"}, {{usable}, {missing}});
  REQUIRE_FALSE(none);
  CHECK(none.error().kind == Fault::unplugged);
  CHECK_THAT(none.error().what, ContainsSubstring("without a device node"));
  CHECK_THAT(none.error().what, ContainsSubstring("ttyUSB0 (usb:0403:6001:A1)"));
  CHECK_THAT(none.error().what, ContainsSubstring("--device /dev/ttyUSB0"));
  const auto twin = find_usb_port({"0403:6001", ""}, {{usable}, {missing}});
  REQUIRE(twin);
  CHECK(*twin == "/dev/ttyUSB1");
  const auto other = find_usb_port({"1a86:7523", ""}, {{usable}, {missing}});
  REQUIRE_FALSE(other);
  CHECK_THAT(other.error().what, ContainsSubstring("not plugged in"));
  CHECK(missing_nodes_text({}).empty());
}
