#include "src/cli/status_text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "core/time.h"
#include "src/cli/text_table.h"

namespace baudbridge {
namespace {

std::string seconds_text(std::uint64_t seconds) {
  return duration_text(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

std::string number_text(const Json& object, const char* name) {
  return std::to_string(count_of(object, name));
}

std::string percent_text(double percent) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), percent < 10.0 ? "%.1f %%" : "%.0f %%", percent);
  return text.data();
}

std::string link_line(const Json& link) {
  const bool connected = flag_of(link, "connected");
  std::string line = (connected ? "broker   connected to " : "broker   not connected to ") + text_of(link, "server");
  line += " for " + seconds_text(count_of(link, "for_s"));
  if (connected) line += ", MQTT " + text_of(link, "protocol") + ", " + number_text(link, "in_flight") + " in flight";
  if (flag_of(link, "slowed")) line += ", slowed down by the broker";
  const std::string error = text_of(link, "last_error");
  if (!connected && !error.empty()) line += ": " + error;
  return line;
}

std::string queue_line(const Json& status) {
  const Json& queue = member(status, "queue");
  std::string line = "queue    " + number_text(member(status, "records"), "queued") + " queued (" +
                     number_text(queue, "in_tail") + " in memory, " + number_text(queue, "in_store") + " on disk, " +
                     size_text(count_of(queue, "store_bytes")) + ")";
  const std::uint64_t now = count_of(status, "ts");
  const std::uint64_t oldest = count_of(queue, "oldest");
  if (oldest > 0 && now > oldest) line += ", the oldest " + seconds_text((now - oldest) / 1000) + " old";
  if (!flag_of(queue, "durable")) line += "; NOT ON DISK: " + text_of(queue, "disk_error");
  return line;
}

std::string records_line(const Json& counters) {
  return "records  " + number_text(counters, "accepted") + " accepted = " + number_text(counters, "acknowledged") +
         " acknowledged + " + number_text(counters, "queued") + " queued + " + number_text(counters, "dead_lettered") +
         " dead-lettered + " + number_text(counters, "dropped") + " dropped";
}

std::string milliseconds_text(double ms) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), ms < 10.0 ? "%.1f ms" : "%.0f ms", ms);
  return text.data();
}

std::vector<std::string> device_cells(const std::string& name, const Json& device) {
  std::string state = text_of(device, "state", "-");
  if (const std::string why = text_of(device, "why"); !why.empty()) state += " (" + why + ")";
  const double response = number_of(device, "response_ms");
  std::string hint;
  if (const double timeout = number_of(device, "recommended_timeout_ms"); timeout > 0.0) {
    hint = "timeout = \"" + std::to_string(static_cast<long>(timeout)) + "ms\" would do";
  }
  return {"  " + printable(name),
          printable(state),
          "",
          number_text(device, "polls"),
          number_text(device, "failures"),
          number_text(device, "late_replies"),
          response > 0.0 ? milliseconds_text(response) : "-",
          hint};
}

/// The server through which other masters share the bus.
std::vector<std::string> serve_cells(const Json& serve) {
  const std::string why = text_of(serve, "why");
  std::string note = number_text(serve, "clients") + " clients, " + number_text(serve, "requests") +
                     " requests forwarded, " + number_text(serve, "refused") + " refused, " +
                     number_text(serve, "rejected") + " connections rejected, " + number_text(serve, "malformed") +
                     " malformed; at most " + percent_text(number_of(serve, "share_percent")) + " of the time";
  if (!why.empty()) note = why + "; " + note;
  return {"  serves " + printable(text_of(serve, "address")),
          flag_of(serve, "listening") ? "listens" : "closed",
          percent_text(number_of(serve, "load_percent")),
          number_text(serve, "requests"),
          number_text(serve, "failed"),
          "",
          "",
          printable(note)};
}

std::string age_text(std::uint64_t now_ms, std::uint64_t then_ms) {
  return seconds_text(now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0);
}

}  // namespace

std::vector<std::string> summary_lines(const Json& answer) {
  const Json& status = member(answer, "status");
  std::string head = "gateway  " + text_of(answer, "gateway") + ", baudbridge " + text_of(status, "version") +
                     ", running for " + seconds_text(count_of(status, "uptime_s")) + " (process " +
                     number_text(answer, "pid") + ")";
  if (!flag_of(status, "clock_synced")) head += "; the system clock has not been set yet";
  std::vector<std::string> lines{head, link_line(member(status, "link")), queue_line(status),
                                 records_line(member(status, "records"))};
  for (auto& line : lines) line = printable(line);
  return lines;
}

std::vector<std::string> bus_lines(const Json& answer) {
  const Json& buses = member(member(answer, "status"), "buses");
  if (!buses.is_object() || buses.empty()) return {};
  TextTable table;
  table.row({"bus", "state", "load", "polls", "failed", "late", "response", ""});
  for (const auto& [name, bus] : buses.items()) {
    std::string state = flag_of(bus, "open") ? "open" : "closed";
    std::string note = text_of(bus, "advice");
    if (const std::string why = text_of(bus, "why"); !why.empty()) note = why + (note.empty() ? "" : "; " + note);
    table.row({printable(name), state, percent_text(number_of(bus, "load_percent")), number_text(bus, "polls"),
               number_text(bus, "failures"), number_text(bus, "late_polls"), "", printable(note)});
    if (const Json& serve = member(bus, "serve"); serve.is_object()) table.row(serve_cells(serve));
    const Json& devices = member(bus, "devices");
    if (!devices.is_object()) continue;
    for (const auto& [device, report] : devices.items()) table.row(device_cells(device, report));
  }
  return table.lines();
}

std::string reading_text(const Json& reading, const std::string& unit) {
  const std::string fault = text_of(reading, "fault");
  if (!fault.empty()) {
    const std::string what = text_of(reading, "what");
    return printable(what.empty() || what == fault ? fault : fault + " (" + what + ")");
  }
  const Json& value = member(reading, "value");
  if (value.is_string()) return printable(value.get<std::string>());
  return json_text(value) + (unit.empty() || value.is_boolean() ? "" : " " + printable(unit));
}

std::vector<std::string> value_lines(const Json& answer, const Units& units) {
  const Json& values = member(answer, "values");
  // Every point that is configured or has a reading, by device.
  std::map<std::string, std::map<std::string, const Json*>> points;
  for (const auto& [device, named] : units) {
    auto& its = points[device];
    for (const auto& [point, unit] : named) its[point] = nullptr;
  }
  if (values.is_object()) {
    for (const auto& [device, readings] : values.items()) {
      for (const auto& [point, reading] : readings.items()) points[device][point] = &reading;
    }
  }
  const std::uint64_t now = count_of(member(answer, "status"), "ts");
  TextTable table;
  table.row({"device", "point", "value", "age"});
  for (const auto& [device, named] : points) {
    std::string first = printable(device);
    if (named.empty()) table.row({first, "-", "-"});
    for (const auto& [point, reading] : named) {
      std::string unit;
      if (const auto known = units.find(device); known != units.end()) {
        if (const auto its = known->second.find(point); its != known->second.end()) unit = its->second;
      }
      table.row({first, printable(point), reading == nullptr ? "-" : reading_text(*reading, unit),
                 reading == nullptr ? "" : age_text(now, count_of(*reading, "ts"))});
      first.clear();
    }
  }
  return table.lines();
}

Screen watch_screen(const Json& answer, const Units& units, std::size_t rows, std::size_t columns, std::size_t scroll) {
  Screen screen;
  auto& lines = screen.lines;
  lines = summary_lines(answer);
  const auto buses = bus_lines(answer);
  if (!buses.empty()) lines.emplace_back();
  lines.insert(lines.end(), buses.begin(), buses.end());
  lines.emplace_back();
  const auto values = value_lines(answer, units);
  const std::string foot = "q quits; arrows and space scroll";
  // The head of the table stays; under it at least three lines scroll, whatever is above.
  const std::size_t room = rows > lines.size() + 5 ? rows - lines.size() - 2 : 3;
  if (lines.size() + 2 + room > rows) lines.resize(rows > room + 2 ? rows - room - 2 : 0);
  lines.push_back(values.front());
  screen.most_scroll = values.size() - 1 > room ? values.size() - 1 - room : 0;
  const std::size_t from = 1 + std::min(scroll, screen.most_scroll);
  for (std::size_t i = from; i < values.size() && i < from + room; ++i) lines.push_back(values[i]);
  if (screen.most_scroll > 0) {
    lines.push_back(foot + " (" + std::to_string(values.size() - 1 - std::min(room, values.size() - 1)) + " more)");
  } else {
    lines.push_back("q quits");
  }
  if (lines.size() > rows) lines.resize(rows);
  for (auto& line : lines) line = cut_to(line, columns);
  return screen;
}

}  // namespace baudbridge
