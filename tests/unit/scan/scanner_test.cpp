#include "adapters/modbus/scan/scanner.h"

#include <map>

#include "adapters/modbus/rtu_frame.h"
#include "src/demo/register_image.h"
#include "support/catch.h"
#include "unit/scan/candidates.h"

using namespace baudbridge;
using namespace baudbridge::scan;
using namespace std::chrono_literals;
using simulation::RegisterImage;

namespace {

/// Who is on the line, at which setting, and what happened.
struct FakeLine {
  std::map<std::string, std::map<std::uint8_t, RegisterImage>> devices;  ///< setting -> unit -> what it holds
  std::map<std::uint8_t, Error> errors;                                  ///< units that answer with this instead
  std::map<std::string, Error> refused;                                  ///< settings that cannot be opened
  std::vector<std::string> opened;
  std::vector<std::string> asked;  ///< "9600 8N1 17 3": setting, unit, function
  std::function<void(const Request&)> on_request;
  std::vector<LateResponse> late;
};

class FakeClient : public ModbusClient {
 public:
  FakeClient(FakeLine& line, std::string setting) : line_(line), setting_(std::move(setting)) {}
  Result<void> open() override {
    line_.opened.push_back(setting_);
    const auto refused = line_.refused.find(setting_);
    return refused == line_.refused.end() ? Result<void>{} : refused->second;
  }
  void close() noexcept override {}
  Result<Response> transact(const Request& request) override {
    line_.asked.push_back(setting_ + " " + std::to_string(request.unit) + " " + std::to_string(request.pdu[0]));
    if (line_.on_request) line_.on_request(request);
    if (request.stop.stop_requested()) return Error{Fault::closed, "stopped"};
    const auto error = line_.errors.find(request.unit);
    if (error != line_.errors.end()) return error->second;
    auto& units = line_.devices[setting_];
    const auto unit = units.find(request.unit);
    if (unit == units.end()) return Error{Fault::timeout, "no response"};
    Bytes reply = unit->second.answer(request.pdu);
    if (const auto good = check_response(expected_response(request.pdu), reply); !good) return good.error();
    return Response{std::move(reply), 5ms, {}};
  }
  Result<void> broadcast(const Request& /*request*/) override {
    FAIL("scan never sends a broadcast");
    return {};
  }
  [[nodiscard]] Steady clear_at(std::uint8_t /*unit*/, const Bytes& /*pdu*/, bool /*fresh*/) const override {
    return {};
  }
  [[nodiscard]] std::vector<LateResponse> take_late() override { return std::exchange(line_.late, {}); }
  [[nodiscard]] std::string advice() const override { return {}; }

 private:
  FakeLine& line_;
  std::string setting_;
};

RegisterImage with_register_0() {
  RegisterImage image;
  image.set(Table::holding, 0, 7);
  return image;
}

SearchOrder order_of(std::vector<LineSetting> settings, std::vector<std::uint8_t> units, std::size_t likely) {
  SearchOrder order;
  order.settings = std::move(settings);
  order.units = std::move(units);
  order.likely = likely;
  order.timeout = 100ms;
  return order;
}

ScanReport scan_line(FakeLine& line, SearchOrder order, std::span<const Candidate> known = {},
                     std::stop_source* stop = nullptr) {
  std::stop_source none;
  Scanner scanner(
      std::move(order),
      [&](const LineSetting& setting) {
        return OpenLine{nullptr, std::make_unique<FakeClient>(line, setting_text(setting))};
      },
      known, [](const Progress&) {}, (stop == nullptr ? none : *stop).get_token(), -1);
  return scanner.run();
}

std::vector<int> units_of(const ScanReport& report) {
  std::vector<int> units;
  for (const FoundUnit& each : report.found) units.push_back(each.unit);
  return units;
}

std::size_t times_asked(const FakeLine& line, const std::string& what) {
  return static_cast<std::size_t>(std::count(line.asked.begin(), line.asked.end(), what));
}

const std::vector<LineSetting> kThree{{9600, Parity::none, 1}, {19200, Parity::even, 1}, {19200, Parity::none, 1}};

}  // namespace

TEST_CASE("the likely units are probed at every setting before all others are") {
  FakeLine line;
  line.devices["19200 8N1"][2] = with_register_0();
  line.devices["19200 8N1"][9] = with_register_0();
  const ScanReport report = scan_line(line, order_of(kThree, {1, 2, 8, 9}, 2));
  CHECK(units_of(report) == std::vector<int>{2, 9});
  CHECK(report.complete);
  CHECK(line.asked[0] == "9600 8N1 1 3");
  CHECK(line.asked[1] == "9600 8N1 2 3");
  CHECK(line.asked[2] == "19200 8E1 1 3");
  CHECK(times_asked(line, "9600 8N1 9 3") == 0);
  CHECK(times_asked(line, "9600 8N1 1 4") == 0);
}

TEST_CASE("devices are reported in the order of their unit ids") {
  FakeLine line;
  for (const std::uint8_t unit : {std::uint8_t{2}, std::uint8_t{30}, std::uint8_t{9}}) {
    line.devices["9600 8N1"][unit] = with_register_0();
    line.devices["19200 8E1"][unit] = with_register_0();
  }
  SearchOrder order = order_of({kThree[0], kThree[1]}, {1, 30, 2, 9}, 2);
  order.all_settings = true;
  CHECK(units_of(scan_line(line, order)) == std::vector<int>{2, 9, 30, 2, 9, 30});
}

TEST_CASE("if no likely unit responds, all units are probed at all settings") {
  FakeLine line;
  line.devices["19200 8E1"][9] = with_register_0();
  const ScanReport report = scan_line(line, order_of(kThree, {1, 2, 8, 9}, 2));
  CHECK(units_of(report) == std::vector<int>{9});
  CHECK(setting_text(report.found[0].setting) == "19200 8E1");
  CHECK(times_asked(line, "9600 8N1 9 3") == 1);
  CHECK(times_asked(line, "19200 8N1 9 3") == 0);
}

TEST_CASE("after one was found the other settings are left out, and that is reported") {
  FakeLine line;
  line.devices["9600 8N1"][1] = with_register_0();
  line.devices["19200 8E1"][2] = with_register_0();
  const ScanReport report = scan_line(line, order_of(kThree, {1, 2}, 1));
  CHECK(units_of(report) == std::vector<int>{1});
  CHECK(line.opened == std::vector<std::string>{"9600 8N1"});
  REQUIRE(report.notes.size() == 1);
  CHECK_THAT(report.notes[0], ContainsSubstring("found at 9600 8N1; the other line settings were left out"));
}

TEST_CASE("with all settings the search goes on after a find") {
  FakeLine line;
  line.devices["9600 8N1"][1] = with_register_0();
  line.devices["19200 8E1"][2] = with_register_0();
  SearchOrder order = order_of(kThree, {1, 2}, 1);
  order.all_settings = true;
  const ScanReport report = scan_line(line, order);
  CHECK(units_of(report) == std::vector<int>{1, 2});
  CHECK(report.tried.size() == 3);
}

TEST_CASE("a unit that only supports function 4 is found, and so is one that refuses both") {
  FakeLine line;
  RegisterImage input;
  input.set(Table::input, 0, 1);
  line.devices["9600 8N1"][1] = input;
  line.devices["9600 8N1"][2] = RegisterImage{};
  const ScanReport report = scan_line(line, order_of({kThree[0]}, {1, 2, 3}, 3));
  REQUIRE(units_of(report) == std::vector<int>{1, 2});
  CHECK(report.found[0].readable == Table::input);
  CHECK_FALSE(report.found[1].readable);
  CHECK_THAT(report.found[1].answered, ContainsSubstring("exception 2"));
  CHECK(times_asked(line, "9600 8N1 3 3") == 1);
  CHECK(times_asked(line, "9600 8N1 3 4") == 1);
}

TEST_CASE("a damaged response is requested once more, and is not a device") {
  FakeLine line;
  line.devices["9600 8N1"][1] = with_register_0();
  line.errors[2] = {Fault::checksum, "its response was damaged (CRC)"};
  const ScanReport report = scan_line(line, order_of({kThree[0]}, {1, 2, 3}, 3));
  CHECK(units_of(report) == std::vector<int>{1});
  REQUIRE(report.garbled.size() == 1);
  CHECK(report.garbled[0].unit == 2);
  CHECK(times_asked(line, "9600 8N1 2 3") == 2);
}

TEST_CASE("a setting at which everything is garbled is left, and the next one is tried") {
  FakeLine line;
  std::vector<std::uint8_t> units;
  for (std::uint8_t unit = 1; unit <= 40; ++unit) {
    units.push_back(unit);
    line.errors[unit] = {Fault::malformed, "noise"};
  }
  const ScanReport report = scan_line(line, order_of(kThree, units, 40));
  CHECK(report.found.empty());
  CHECK(line.asked.size() <= 3 * 12);
  REQUIRE_FALSE(report.notes.empty());
  CHECK_THAT(report.notes[0], ContainsSubstring("9600 8N1: left after 6 garbled responses in a row"));
}

TEST_CASE("a gateway's exception is not a device") {
  FakeLine line;
  line.errors[1] = {Fault::exception, "the gateway got no response from it", 11};
  line.devices["9600 8N1"][2] = with_register_0();
  const ScanReport report = scan_line(line, order_of({kThree[0]}, {1, 2}, 2));
  CHECK(units_of(report) == std::vector<int>{2});
  CHECK(report.gateway);
}

TEST_CASE("a unit whose response comes after the timeout is probed again, with a longer timeout") {
  FakeLine line;
  line.devices["9600 8N1"][2] = with_register_0();
  bool waited = false;
  line.errors[2] = {Fault::timeout, "no response"};
  line.on_request = [&](const Request& request) {
    if (request.unit == 3) line.late = {{2, 350ms}};
    if (request.unit != 2 || request.timeout <= 100ms) return;
    waited = true;
    line.errors.erase(2);
  };
  const ScanReport report = scan_line(line, order_of({kThree[0]}, {1, 2, 3, 4}, 1));
  CHECK(waited);
  REQUIRE(units_of(report) == std::vector<int>{2});
  CHECK(report.found[0].slow);
  CHECK(report.found[0].response == 350ms);
}

TEST_CASE("a stop ends the search at once, and what was found is kept") {
  FakeLine line;
  line.devices["9600 8N1"][1] = with_register_0();
  std::stop_source stop;
  line.on_request = [&](const Request& request) {
    if (request.unit == 3) stop.request_stop();
  };
  const ScanReport report = scan_line(line, order_of({kThree[0]}, {1, 2, 3, 4, 5}, 1), {}, &stop);
  CHECK(units_of(report) == std::vector<int>{1});
  CHECK_FALSE(report.complete);
  CHECK_FALSE(report.error);
  CHECK(times_asked(line, "9600 8N1 4 3") == 0);
}

TEST_CASE("a port that is not there ends the search, a speed that it cannot do does not") {
  FakeLine gone;
  gone.refused["9600 8N1"] = {Fault::unplugged, "there is no such port"};
  const ScanReport nothing = scan_line(gone, order_of(kThree, {1}, 1));
  REQUIRE(nothing.error);
  CHECK(nothing.error->what == "there is no such port");
  CHECK(gone.opened.size() == 1);
  FakeLine picky;
  picky.refused["19200 8E1"] = {Fault::io, "it cannot do this"};
  picky.devices["19200 8N1"][1] = with_register_0();
  const ScanReport found = scan_line(picky, order_of(kThree, {1}, 1));
  CHECK_FALSE(found.error);
  CHECK(units_of(found) == std::vector<int>{1});
  CHECK_THAT(found.notes.front(), ContainsSubstring("not tried: it cannot do this"));
}

TEST_CASE("a port that is in use is reported, whichever settings are to be tried") {
  FakeLine line;
  for (const LineSetting& each : kThree)
    line.refused[setting_text(each)] = {Fault::in_use, "another program has it open"};
  const ScanReport report = scan_line(line, order_of(kThree, {1}, 1));
  REQUIRE(report.error);
  CHECK(report.error->what == "another program has it open");
  CHECK(report.notes.empty());
}

TEST_CASE("one device that responds to every unit id is one device") {
  FakeLine line;
  std::vector<std::uint8_t> units;
  for (int unit = 1; unit <= 247; ++unit) {
    units.push_back(static_cast<std::uint8_t>(unit));
    line.devices["9600 8N1"][static_cast<std::uint8_t>(unit)] = with_register_0();
  }
  const ScanReport report = scan_line(line, order_of({kThree[0]}, units, 3));
  CHECK(report.responds_to_all);
  CHECK(units_of(report) == std::vector<int>{1});
  CHECK(times_asked(line, "9600 8N1 100 3") == 0);
}

TEST_CASE("a profile that fitted one unit is tried first at the next, and may be enough") {
  const Candidate meter = frequency_meter(6);
  Candidate other = meter;
  other.id = "other";
  for (auto& point : other.points) point.place.table = Table::holding;
  const std::vector<Candidate> known{other, meter};
  FakeLine line;
  for (const std::uint8_t unit : {std::uint8_t{1}, std::uint8_t{2}}) {
    for (std::uint16_t i = 0; i < 6; ++i) line.devices["9600 8N1"][unit].set(Table::input, i, std::uint16_t(4990 + i));
  }
  const ScanReport report = scan_line(line, order_of({kThree[0]}, {1, 2}, 2), known);
  REQUIRE(report.found.size() == 2);
  for (const FoundUnit& each : report.found) {
    REQUIRE(each.fits.size() == 1);
    CHECK(each.fits[0].profile == "meter");
    CHECK(each.fits[0].grade == Grade::good);
    CHECK(each.fits_known);
  }
  CHECK(times_asked(line, "9600 8N1 1 3") > times_asked(line, "9600 8N1 2 3"));
}

TEST_CASE("a stop while profiles are tried leaves no half-read guess behind") {
  CandidatePoint point;
  point.point.id = "p";
  point.place.table = Table::input;
  point.place.address = 7;
  Candidate none;
  none.id = "none";
  none.points.assign(4, point);
  Candidate unread = none;
  unread.id = "unread";
  for (auto& each : unread.points) each.place.address = 8;
  const std::vector<Candidate> known{none, unread};
  FakeLine line;
  line.devices["9600 8N1"][1] = with_register_0();
  std::stop_source stop;
  line.on_request = [&](const Request& request) {
    if (request.pdu[0] == 4 && request.pdu[2] == 8) stop.request_stop();
  };
  const ScanReport report = scan_line(line, order_of({kThree[0]}, {1}, 1), known, &stop);
  REQUIRE(report.found.size() == 1);
  CHECK(report.found[0].fits.empty());
  CHECK_FALSE(report.found[0].fits_known);
  CHECK_FALSE(report.complete);
}

TEST_CASE("frames of another master are distinguished from noise") {
  CHECK(count_requests(rtu_frame(5, read_request(Table::holding, 10, 4))) == 1);
  CHECK(count_requests(Bytes{0x42, 0x4d, 0x00, 0x1c, 0x00, 0x01, 0x02, 0x03}) == 0);
  CHECK(hex_text(Bytes{0x42, 0x4d, 0x00}, 2) == "42 4D ...");
}
