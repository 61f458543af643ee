#pragma once
#include <memory>
#include <string>

namespace baudbridge {

/// What adapters have learned about their devices, kept over a restart in one small text file a bus. Losing a file costs
/// some requests to devices, never a value, so nothing is synced to disk and errors are ignored.
/// Threads: write() from any; one thread of its own writes the files, so that no bus waits for a disk. The destructor
///          detaches a thread that hangs on a disk.
class LearnedStore {
 public:
  /// folder: made if it is not there.
  explicit LearnedStore(std::string folder);
  ~LearnedStore();
  LearnedStore(const LearnedStore&) = delete;
  LearnedStore& operator=(const LearnedStore&) = delete;

  /// What was written for the bus, empty if nothing was. Reads the file.
  [[nodiscard]] std::string read(const std::string& bus) const;
  /// Replaces it, some time later; only the last of several texts for one bus is written.
  void write(const std::string& bus, std::string text);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace baudbridge
