#pragma once
// The one place of this folder that includes the JSON library, and what is needed of it.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace baudbridge {

using Json = nlohmann::json;

/// Nothing if it is not JSON.
inline std::optional<Json> parse_json(const std::string& text) {
  Json parsed = Json::parse(text, nullptr, false);
  if (parsed.is_discarded()) return std::nullopt;
  return parsed;
}

/// The member of that name, or null; null too if `object` is no object.
inline const Json& member(const Json& object, const char* name) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

inline std::string text_of(const Json& object, const char* name, const std::string& default_value = "") {
  const Json& found = member(object, name);
  return found.is_string() ? found.get<std::string>() : default_value;
}

inline std::uint64_t count_of(const Json& object, const char* name) {
  const Json& found = member(object, name);
  return found.is_number_unsigned() || found.is_number_integer() ? found.get<std::uint64_t>() : 0;
}

inline double number_of(const Json& object, const char* name) {
  const Json& found = member(object, name);
  return found.is_number() ? found.get<double>() : 0.0;
}

inline bool flag_of(const Json& object, const char* name) {
  const Json& found = member(object, name);
  return found.is_boolean() && found.get<bool>();
}

/// As text on one line; what is not UTF-8 becomes U+FFFD.
inline std::string json_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace baudbridge
