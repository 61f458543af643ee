#pragma once
#include <memory>
#include <string>

namespace baudbridge {

/// What adapters have learned about their devices, kept over a restart: one small text file a bus. Losing one costs
/// some questions to devices, never a value, so nothing is synced to disk and no error is told. Threads: write() from
/// any, it only leaves a note; one thread of its own writes the files, so that no bus waits for a
///          disk. A thread that hangs on a disk is left behind by the destructor.
class Notebook {
 public:
  /// folder: made if it is not there.
  explicit Notebook(std::string folder);
  ~Notebook();
  Notebook(const Notebook&) = delete;
  Notebook& operator=(const Notebook&) = delete;

  /// What was written for the bus, empty if nothing was. Reads the file.
  [[nodiscard]] std::string read(const std::string& bus) const;
  /// Replaces it, some time later; several notes for one bus become one.
  void write(const std::string& bus, std::string text);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace baudbridge
