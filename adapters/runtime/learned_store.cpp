#include "adapters/runtime/learned_store.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace baudbridge {
namespace {

using namespace std::chrono_literals;

constexpr auto kStopWithin = 2s;
constexpr std::size_t kMostBytes = 1 << 20;  ///< no adapter writes more

std::string file_of(const std::string& folder, const std::string& bus) {
  return folder + "/" + bus + ".txt";
}

/// The old file or the new one, never half of one.
void replace_file(const std::string& file, const std::string& text) {
  const std::string fresh = file + ".new";
  {
    std::ofstream out(fresh, std::ios::trunc | std::ios::binary);
    out << text;
    out.close();
    if (!out) {
      std::remove(fresh.c_str());
      return;
    }
  }
  std::rename(fresh.c_str(), file.c_str());
}

}  // namespace

struct LearnedStore::Shared {
  std::string folder;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::string> texts;  ///< by bus, not written yet
  bool stop = false;
  bool ended = false;

  void run() {
    std::unique_lock lock(mutex);
    while (!stop || !texts.empty()) {
      changed.wait(lock, [&] { return stop || !texts.empty(); });
      const auto taken = std::exchange(texts, {});
      lock.unlock();
      for (const auto& [bus, text] : taken) {
        std::error_code ignored;
        std::filesystem::create_directories(folder, ignored);
        replace_file(file_of(folder, bus), text);
      }
      lock.lock();
    }
    ended = true;
    changed.notify_all();
  }
};

LearnedStore::LearnedStore(std::string folder) : shared_(std::make_shared<Shared>()) {
  shared_->folder = std::move(folder);
  std::thread([shared = shared_] { shared->run(); }).detach();  // the destructor waits for its end, with a timeout
}

LearnedStore::~LearnedStore() {
  std::unique_lock lock(shared_->mutex);
  shared_->stop = true;
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, kStopWithin, [&] { return shared_->ended; });
}

std::string LearnedStore::read(const std::string& bus) const {
  std::ifstream in(file_of(shared_->folder, bus), std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  return text.size() > kMostBytes ? std::string{} : text;
}

void LearnedStore::write(const std::string& bus, std::string text) {
  const std::lock_guard lock(shared_->mutex);
  shared_->texts[bus] = std::move(text);
  shared_->changed.notify_all();
}

}  // namespace baudbridge
