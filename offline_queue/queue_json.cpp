// A record as a line of JSON, readable by people and jq, that is imported again without loss.
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "offline_queue/queue_file.h"
#include "offline_queue/record_codec.h"

namespace baudbridge {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, section 4.
std::string base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i) {
      group = (group << 8) | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) out += i <= count ? kAlphabet[(group >> (18 - 6 * i)) & 63U] : '=';
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t end = text.find('=');
  const std::string_view digits = text.substr(0, end);
  if (end != std::string_view::npos && text.size() - end > 2) return std::nullopt;
  std::string out;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : digits) {
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = ((bits << 6) | static_cast<std::uint32_t>(digit)) & 0xFFFFU;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>((bits >> held) & 0xFFU);
    }
  }
  return out;
}

const char* word_of(Where where) {
  switch (where) {
    case Where::tail:
      return "tail";
    case Where::store:
      return "store";
    case Where::dead_lettered:
      return "dead_lettered";
  }
  return "";
}

Error not_a_line(const std::string& why) {
  return Error{Fault::protocol, "not a line of an export: " + why};
}

std::string text_in(const json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::string export_line(const QueueEntry& entry, const std::string& queue_id) {
  const Record& record = entry.record;
  std::string body;
  encode_record(record, body);
  ordered_json line;
  line["seq"] = record.seq;
  line["device"] = record.device;
  line["ts"] = record.taken.utc.count();
  for (const auto& reading : record.readings) {
    if (!reading.value) {
      line["faults"][reading.point] = fault_word(reading.value.error());
      continue;
    }
    std::visit([&](const auto& value) { line["values"][reading.point] = value; }, *reading.value);
  }
  line["where"] = word_of(entry.where);
  if (entry.where == Where::dead_lettered) {
    line["why"] = entry.why;
    line["retry"] = entry.retry;
  }
  line["queue"] = queue_id;
  line["record"] = base64(body);
  line["crc32c"] = record_checksum(record.seq, body);
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Result<ImportRecord> parse_export_line(std::string_view text) {
  const json line = json::parse(text, nullptr, false);
  if (line.is_discarded() || !line.is_object()) return not_a_line("not a JSON object");
  const auto seq = line.find("seq");
  const auto checksum = line.find("crc32c");
  if (seq == line.end() || !seq->is_number_unsigned()) return not_a_line("\"seq\" is missing");
  if (checksum == line.end() || !checksum->is_number_unsigned()) return not_a_line("\"crc32c\" is missing");
  const auto body = from_base64(text_in(line, "record"));
  if (!body || body->empty()) return not_a_line("\"record\" is missing or not base64");
  const auto number = seq->get<Seq>();
  if (checksum->get<std::uint64_t>() != record_checksum(number, *body)) {
    return not_a_line("record " + std::to_string(number) + " was changed: its checksum is wrong");
  }
  auto record = decode_record(number, *body);
  if (!record)
    return not_a_line("record " + std::to_string(number) +
                      " has an unknown format: it was exported by a newer version");
  ImportRecord imported;
  imported.queue_id = text_in(line, "queue");
  imported.record = std::move(*record);
  imported.dead_lettered = text_in(line, "where") == word_of(Where::dead_lettered);
  imported.why = text_in(line, "why");
  const auto retry = line.find("retry");
  imported.retry = retry != line.end() && retry->is_boolean() && retry->get<bool>();
  return imported;
}

}  // namespace baudbridge
