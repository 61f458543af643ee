#include "bridge/topics.h"

#include <algorithm>
#include <cstddef>

#include "bridge/json_text.h"

namespace baudbridge {

void Topics::append_level(std::string& topic, std::string_view level) {
  topic += '/';
  const auto begin = static_cast<std::ptrdiff_t>(topic.size());
  append_utf8(topic, level);
  const auto forbidden = [](char c) {
    return c == '+' || c == '#' || c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  };
  std::replace_if(topic.begin() + begin, topic.end(), forbidden, '_');
}

std::string Topics::device(std::string_view device) const {
  std::string topic = base_;
  append_level(topic, device);
  return topic;
}

std::string Topics::below(std::string_view device, std::string_view leaf) const {
  std::string topic = this->device(device);
  topic += '/';
  topic += leaf;
  return topic;
}

std::string_view Topics::command_device(std::string_view topic) const {
  constexpr std::string_view kLeaf = "/set";
  const std::size_t prefix = base_.size() + 1;
  if (topic.size() <= prefix + kLeaf.size() || !topic.starts_with(base_) || topic[base_.size()] != '/') return {};
  if (!topic.ends_with(kLeaf)) return {};
  return topic.substr(prefix, topic.size() - prefix - kLeaf.size());
}

}  // namespace baudbridge
