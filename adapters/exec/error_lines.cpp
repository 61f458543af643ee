#include "adapters/exec/error_lines.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/log.h"

namespace baudbridge {

bool ErrorLines::allowed(Steady now) {
  const double passed = std::chrono::duration<double>(std::max(now - allowance_at_, Duration::zero())).count();
  allowance_ = std::min(kBurst, allowance_ + passed * kPerSecond);
  allowance_at_ = now;
  if (allowance_ < 1.0) return false;
  allowance_ -= 1.0;
  return true;
}

void ErrorLines::finish_line(std::vector<std::string>& out, Steady now) {
  if (!partial_.empty() && partial_.back() == '\r') partial_.pop_back();
  std::string line = std::exchange(partial_, {});
  if (line.empty()) return;
  if (!allowed(now)) {
    ++left_out_;
    return;
  }
  if (left_out_ > 0) {
    line += " (before it " + std::to_string(left_out_) + (left_out_ == 1 ? " line was" : " lines were") + " left out)";
    left_out_ = 0;
  }
  out.push_back(std::move(line));
}

std::vector<std::string> ErrorLines::lines(std::string_view bytes, Steady now) {
  std::vector<std::string> out;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end);
    partial_ += piece.substr(0, kMostBytes - std::min(partial_.size(), kMostBytes));
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    finish_line(out, now);
  }
  return out;
}

void ErrorLines::take(std::string_view bytes, Steady now) {
  for (const auto& line : lines(bytes, now)) log::info(name_ + ": " + line);
}

void ErrorLines::end(Steady now) {
  std::vector<std::string> out;
  finish_line(out, now);
  for (const auto& line : out) log::info(name_ + ": " + line);
}

}  // namespace baudbridge
