#include "bridge/topic_name.h"

#include <string>

#include "bridge/json_text.h"

namespace baudbridge {

bool is_topic_name(std::string_view text) {
  if (text.empty() || text.size() > 0xFFFF || text.find_first_of(std::string_view("+#\0", 3)) != text.npos) {
    return false;
  }
  std::string repaired;
  append_utf8(repaired, text);
  return repaired == text;
}

}  // namespace baudbridge
