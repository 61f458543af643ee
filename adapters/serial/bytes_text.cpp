#include "adapters/serial/bytes_text.h"

namespace baudbridge {
namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<std::string> bytes_from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    if (i + 1 >= text.size()) return std::nullopt;
    const int high = digit_of(text[i]);
    const int low = digit_of(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return bytes;
}

std::string parse_bytes(Settings& settings, const std::string& key) {
  const std::string text = settings.text(key, "");
  auto bytes = bytes_from_hex(text);
  if (bytes) return std::move(*bytes);
  settings.problem(key, "invalid bytes \"" + text + "\"; use hexadecimal digits, like \"42 4D\"");
  return {};
}

}  // namespace baudbridge
