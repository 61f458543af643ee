// The JSON of report_text.h.
#include "bridge/json_text.h"
#include "src/cli/scan_report_text.h"

namespace baudbridge::scan {
namespace {

/// Names of the objects of function 43: MODBUS Application Protocol 1.1b3, section 6.21.
std::string object_name(std::uint8_t object) {
  static constexpr const char* kNames[] = {"vendor",       "product_code", "version",         "vendor_url",
                                           "product_name", "model_name",   "user_application"};
  return object < std::size(kNames) ? kNames[object] : "object_" + std::to_string(object);
}

const char* grade_word(Grade grade) {
  switch (grade) {
    case Grade::good:
      return "good";
    case Grade::likely:
      return "likely";
    case Grade::weak:
      return "weak";
    case Grade::none:
      break;
  }
  return "none";
}

std::string fit_json(const Fit& fit) {
  std::string json;
  JsonObject object(json);
  object.text("profile", fit.profile).text("name", fit.name).text("grade", grade_word(fit.grade));
  object.number("asked", fit.asked)
      .number("plausible", fit.plausible)
      .number("unusual", fit.unusual)
      .number("implausible", fit.implausible);
  object.number("refused", fit.refused).number("no_value", fit.no_value).number("unanswered", fit.unanswered);
  object.flag("identified", fit.identified).text("why", fit_text(fit));
  object.close();
  return json;
}

void add_setting(JsonObject& object, const LineSetting& setting) {
  object.number("baud", setting.baud).number("data_bits", setting.data_bits);
  object.text("parity", parity_word(setting.parity)).number("stop_bits", setting.stop_bits);
}

std::string unit_json(const FoundUnit& unit, bool serial) {
  std::string json;
  JsonObject object(json);
  object.number("unit", unit.unit);
  if (serial) add_setting(object, unit.setting);
  object.text("answered", unit.answered);
  object.number("answered_in_ms", std::chrono::duration<double, std::milli>(unit.response).count());
  object.flag("slow", unit.slow);
  if (!unit.doubt.empty()) object.text("doubt", unit.doubt);
  std::string identification;
  JsonObject words(identification);
  for (const auto& [id, text] : unit.identification) words.text(object_name(id), text);
  words.close();
  object.raw("identification", identification);
  std::string fits;
  for (const Fit& fit : unit.fits) fits += (fits.empty() ? "" : ",") + fit_json(fit);
  object.raw("profiles", "[" + fits + "]");
  object.close();
  return json;
}

std::string garbled_json(const GarbledUnit& garbled, bool serial) {
  std::string json;
  JsonObject object(json);
  object.number("unit", garbled.unit);
  if (serial) add_setting(object, garbled.setting);
  object.text("what", garbled.what).close();
  return json;
}

}  // namespace

std::string report_json(const ScanReport& report, const Searched& searched) {
  const bool serial = searched.target.serial();
  std::string devices;
  for (const FoundUnit& unit : report.found) devices += (devices.empty() ? "" : ",") + unit_json(unit, serial);
  std::string garbled;
  for (const GarbledUnit& each : report.garbled) garbled += (garbled.empty() ? "" : ",") + garbled_json(each, serial);
  std::string notes;
  for (const std::string& line : remark_lines(report, searched)) {
    if (!notes.empty()) notes += ',';
    append_json_string(notes, line);
  }
  std::string tried;
  for (const LineSetting& setting : report.tried) {
    if (!tried.empty()) tried += ',';
    append_json_string(tried, setting_text(setting));
  }
  std::string json;
  JsonObject object(json);
  object.text("target", searched.target.text()).flag("complete", report.complete);
  object.raw("devices", "[" + devices + "]").raw("garbled", "[" + garbled + "]");
  if (serial) object.raw("line_settings", "[" + tried + "]");
  object.flag("echo", report.echo).flag("answers_to_all", report.responds_to_all).raw("remarks", "[" + notes + "]");
  if (report.error) object.text("error", report.error->what);
  object.text("config", config_text(report, searched));
  object.close();
  return json;
}

}  // namespace baudbridge::scan
