#include "core/utf8.h"

#include <algorithm>
#include <array>

namespace baudbridge {
namespace {

/// Well-formed sequences: range of the first and of the second byte, and the size.
struct SequenceForm {
  unsigned char first_low, first_high, second_low, second_high;
  std::size_t size;
};
constexpr std::array<SequenceForm, 8> kSequenceForms{{{0xC2, 0xDF, 0x80, 0xBF, 2},
                                                      {0xE0, 0xE0, 0xA0, 0xBF, 3},
                                                      {0xE1, 0xEC, 0x80, 0xBF, 3},
                                                      {0xED, 0xED, 0x80, 0x9F, 3},
                                                      {0xEE, 0xEF, 0x80, 0xBF, 3},
                                                      {0xF0, 0xF0, 0x90, 0xBF, 4},
                                                      {0xF1, 0xF3, 0x80, 0xBF, 4},
                                                      {0xF4, 0xF4, 0x80, 0x8F, 4}}};

bool within(char byte, unsigned char low, unsigned char high) {
  return static_cast<unsigned char>(byte) >= low && static_cast<unsigned char>(byte) <= high;
}

}  // namespace

std::size_t utf8_character_size(std::string_view text) {
  if (within(text[0], 0x00, 0x7F)) return 1;
  const auto* const form = std::find_if(kSequenceForms.begin(), kSequenceForms.end(), [&](const SequenceForm& known) {
    return within(text[0], known.first_low, known.first_high);
  });
  if (form == kSequenceForms.end() || text.size() < form->size) return 0;
  if (!within(text[1], form->second_low, form->second_high)) return 0;
  const std::string_view rest = text.substr(2, form->size - 2);
  return std::all_of(rest.begin(), rest.end(), [](char c) { return within(c, 0x80, 0xBF); }) ? form->size : 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = utf8_character_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

void append_utf8_character(std::string& out, std::uint32_t code) {
  const auto byte = [&](std::uint32_t bits) { out += static_cast<char>(bits); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | (code >> 6));
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3F));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

std::string utf8_from_latin1(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) append_utf8_character(text, static_cast<unsigned char>(byte));
  return text;
}

}  // namespace baudbridge
