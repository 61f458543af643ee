#include "support/capture.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>

#include "support/pty.h"

namespace baudbridge::testing {
namespace {

constexpr double kRelativeTolerance = 1e-6;

std::filesystem::path folder() {
  return std::filesystem::path(SOURCE_DIR) / "tests" / "captures";
}

const ConfigNode& need(const ConfigNode& table, const std::string& key) {
  const ConfigNode* const node = table.find(key);
  if (node == nullptr) throw std::runtime_error("a capture needs " + key);
  return *node;
}

std::string text(const ConfigNode& table, const std::string& key) {
  return std::get<std::string>(need(table, key).value);
}

Expected expected(const ConfigNode& node) {
  if (const auto* flag = std::get_if<bool>(&node.value)) return *flag;
  if (const auto* whole = std::get_if<std::int64_t>(&node.value)) return static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&node.value)) return *number;
  return std::get<std::string>(node.value);
}

}  // namespace

std::vector<std::string> capture_ids() {
  std::vector<std::string> ids;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    if (entry.path().extension() == ".toml") ids.push_back(entry.path().stem().string());
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

Capture load_capture(const std::string& id) {
  std::vector<Problem> problems;
  const ConfigNode root = load_toml((folder() / (id + ".toml")).string(), problems);
  if (!problems.empty()) throw std::runtime_error(problems.front().text());
  Capture capture;
  capture.id = id;
  capture.adapter = text(root, "adapter");
  capture.line = "baud = " + std::to_string(std::get<std::int64_t>(need(root, "baud").value)) +
                 "\ndata_bits = " + std::to_string(std::get<std::int64_t>(need(root, "data_bits").value)) +
                 "\nparity = \"" + text(root, "parity") + "\"\n";
  capture.config = text(root, "config");
  capture.checked = std::get<bool>(need(root, "checked").value);
  if (root.find("stream") != nullptr) {
    capture.stream = from_hex(text(root, "stream"));
  } else {
    for (const ConfigNode& exchange : std::get<ConfigArray>(need(root, "exchanges").value)) {
      capture.exchanges.push_back({from_hex(text(exchange, "request")), from_hex(text(exchange, "reply"))});
    }
  }
  for (const ConfigNode& record : std::get<ConfigArray>(need(root, "expected").value)) {
    ExpectedRecord points;
    for (const auto& [name, node] : std::get<ConfigTable>(record.value)) points.emplace_back(name, expected(node));
    capture.expected.push_back(std::move(points));
  }
  return capture;
}

bool as_expected(const Expected& expected, double number) {
  const auto* const wanted = std::get_if<double>(&expected);
  return wanted != nullptr && std::abs(*wanted - number) <= kRelativeTolerance * std::max(1.0, std::abs(*wanted));
}

}  // namespace baudbridge::testing
