#include "bridge/topic_name.h"

#include "core/utf8.h"

namespace baudbridge {

bool is_topic_name(std::string_view text) {
  if (text.empty() || text.size() > 0xFFFF || text.find_first_of(std::string_view("+#\0", 3)) != text.npos) {
    return false;
  }
  return is_utf8(text);
}

}  // namespace baudbridge
