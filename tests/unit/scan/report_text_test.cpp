#include <nlohmann/json.hpp>

#include "src/cli/scan_report_text.h"
#include "src/config/config.h"
#include "support/catch.h"

using namespace baudbridge;
using namespace baudbridge::scan;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

constexpr LineSetting kEven{19200, Parity::even, 1};

Fit fit_of(const std::string& profile, Grade grade) {
  Fit fit;
  fit.profile = profile;
  fit.name = profile;
  fit.grade = grade;
  fit.asked = fit.plausible = 12;
  fit.evidence = 30.0;
  return fit;
}

FoundUnit unit_of(std::uint8_t unit, std::vector<Fit> fits = {}) {
  FoundUnit found;
  found.unit = unit;
  found.setting = kEven;
  found.answered = "input register 0";
  found.readable = Table::input;
  found.response = 12'300us;
  found.fits = std::move(fits);
  found.fits_known = true;
  return found;
}

Searched searched_of(ModbusTransport transport = ModbusTransport::rtu) {
  Searched searched;
  searched.target.transport = transport;
  searched.target.port = "/dev/ttyUSB0";
  searched.target.endpoint.host = "10.0.0.5";
  searched.port_name = "/dev/serial/by-id/usb-FTDI_\"odd\\name\"-if00";
  searched.order.serial = transport == ModbusTransport::rtu;
  searched.order.settings = {kEven};
  searched.order.units = {1, 2, 3};
  searched.order.timeout = 100ms;
  return searched;
}

/// One of each kind.
ScanReport report_of_all_kinds() {
  ScanReport report;
  report.complete = true;
  report.found.push_back(unit_of(1, {fit_of("eastron-sdm120", Grade::good), fit_of("eastron-sdm230", Grade::likely)}));
  report.found.push_back(unit_of(2, {fit_of("senseair-s8", Grade::weak)}));
  report.found.push_back(unit_of(3));
  report.found.back().readable.reset();
  report.found.back().answered = "it has no such register (exception 2)";
  report.found.push_back(unit_of(247));
  report.found.back().slow = true;
  report.found.back().response = 333ms;
  report.found.back().identification = {{0, "ACME \"\n[[bus]]\x1b[2J"}, {1, "PM1"}};
  return report;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

Config parsed(const std::string& text) {
  Config config = parse_config(text, "found.toml");
  for (const Problem& problem : config.problems) {
    UNSCOPED_INFO(problem.text());
  }
  return config;
}

}  // namespace

TEST_CASE("the printed configuration is valid, whatever was found and whatever devices send") {
  for (const auto transport : {ModbusTransport::rtu, ModbusTransport::tcp, ModbusTransport::rtu_over_tcp}) {
    ScanReport report = report_of_all_kinds();
    report.echo = true;
    const std::string text = config_text(report, searched_of(transport));
    CHECK((text.find("echo = true") != std::string::npos) == (transport == ModbusTransport::rtu));
    INFO(text);
    const Config config = parsed(text);
    CHECK(config.good());
    REQUIRE(config.buses.size() == 1);
    REQUIRE(config.buses[0].devices.size() == 4);
    CHECK(config.buses[0].devices[0].points.size() == 14);  // the profile's
    CHECK(config.buses[0].devices[1].points.size() == 1);   // the register that answered
    CHECK(config.buses[0].devices[2].points.empty());
  }
}

TEST_CASE("a fitting profile is printed as a key where it is likely, else as a comment") {
  const std::string text = config_text(report_of_all_kinds(), searched_of());
  INFO(text);
  CHECK_THAT(text, ContainsSubstring("\nprofile = \"eastron-sdm120\"   # a guess: 12 of 12 values plausible\n"));
  CHECK_THAT(text, ContainsSubstring("# these fit as well: eastron-sdm230\n"));
  CHECK_THAT(text, ContainsSubstring("\n# profile = \"senseair-s8\""));
  CHECK_THAT(text, ContainsSubstring("timeout = \"666ms\""));
  CHECK_THAT(text, ContainsSubstring("baud = 19200\nparity = \"even\"\n"));
}

TEST_CASE("several line settings become several buses with ids of their own") {
  ScanReport report = report_of_all_kinds();
  report.found.push_back(unit_of(1));
  report.found.back().setting = {9600, Parity::none, 1};
  const std::string text = config_text(report, searched_of());
  INFO(text);
  const Config config = parsed(text);
  CHECK(config.good());
  CHECK(config.buses.size() == 2);
  CHECK_THAT(text, ContainsSubstring("keep one of these buses"));
}

TEST_CASE("the table has a line for each device, and one for each further profile") {
  const auto lines = device_lines(report_of_all_kinds(), searched_of());
  INFO(joined(lines));
  REQUIRE(lines.size() == 6);
  CHECK_THAT(lines[0], ContainsSubstring("UNIT") && ContainsSubstring("LINE") && ContainsSubstring("PROFILE"));
  CHECK_THAT(lines[1], ContainsSubstring("19200 8E1") && ContainsSubstring("13 ms") &&
                           ContainsSubstring("eastron-sdm120") && ContainsSubstring("12 of 12 values plausible"));
  CHECK_THAT(lines[2], ContainsSubstring("eastron-sdm230") && !ContainsSubstring("19200"));
  CHECK_THAT(lines[4], ContainsSubstring("no known profile fits"));
  CHECK(joined(lines).find('\x1b') == std::string::npos);
  CHECK(device_lines({}, searched_of()).empty());
  CHECK(config_text({}, searched_of()).empty());
}

TEST_CASE("nothing found: the checks depend on the received bytes") {
  ScanReport report;
  report.complete = true;
  const std::string silent = joined(remark_lines(report, searched_of()));
  CHECK_THAT(silent, ContainsSubstring("no byte was received") && ContainsSubstring("swapped"));
  report.garbled.push_back({2, kEven, "its response was damaged (CRC)"});
  const std::string noisy = joined(remark_lines(report, searched_of()));
  CHECK_THAT(noisy, ContainsSubstring("bytes were received. Check") && !ContainsSubstring("swapped"));
  CHECK_THAT(noisy, ContainsSubstring("19200 8E1: unit 2: no device, but bytes were received"));
  report.garbled.clear();
  report.gateway = true;
  CHECK_THAT(joined(remark_lines(report, searched_of(ModbusTransport::tcp))),
             ContainsSubstring("no device answers it"));
  report.complete = false;
  CHECK_THAT(joined(remark_lines(report, searched_of())), ContainsSubstring("ended before everything was looked at"));
}

TEST_CASE("a port in use is reported with the remedy") {
  ScanReport report;
  report.error = Error{Fault::in_use, "port /dev/ttyUSB0: another program has it open"};
  const std::string text = joined(remark_lines(report, searched_of()));
  CHECK_THAT(text, ContainsSubstring("systemctl stop baudbridge"));
  CHECK_THAT(text, !ContainsSubstring("swapped"));
}

TEST_CASE("the JSON has all of it") {
  ScanReport report = report_of_all_kinds();
  report.tried = {kEven};
  report.garbled.push_back({9, kEven, "noise"});
  const Json json = Json::parse(report_json(report, searched_of()));
  CHECK(json.at("target") == "/dev/ttyUSB0");
  REQUIRE(json.at("devices").size() == 4);
  const Json& first = json.at("devices")[0];
  CHECK(first.at("unit") == 1);
  CHECK(first.at("parity") == "even");
  CHECK(first.at("profiles")[0].at("profile") == "eastron-sdm120");
  CHECK(first.at("profiles")[0].at("grade") == "good");
  CHECK(json.at("devices")[3].at("identification").at("product_code") == "PM1");
  CHECK(json.at("garbled")[0].at("unit") == 9);
  CHECK(json.at("line_settings") == Json::array({"19200 8E1"}));
  CHECK(json.at("config").get<std::string>() == config_text(report, searched_of()));
}

TEST_CASE("the duration is reported before the start, in words that fit the order") {
  Searched searched = searched_of();
  CHECK_THAT(plan_text(searched), ContainsSubstring("3 unit ids at 19200 8E1, at most 2 s"));
  searched.order.settings.push_back({9600, Parity::none, 1});
  searched.order.likely = 1;
  CHECK_THAT(plan_text(searched), ContainsSubstring("likely unit ids at 2 line settings, beginning with 19200 8E1"));
  searched.order.all_settings = true;
  CHECK_THAT(plan_text(searched), ContainsSubstring("3 unit ids at 2 line settings, at most"));
  CHECK(about(90s) == "90 s");
  CHECK(about(121s) == "3 min");
  CHECK(progress_text({"9600 8N1: unit 17", 2, 90s}) == "9600 8N1: unit 17, 2 found, at most 90 s left");
}
