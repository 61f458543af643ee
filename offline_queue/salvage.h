#pragma once
// Reads what can be read from a file that was a store. Private to this folder.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"
#include "offline_queue/spool.h"
#include "offline_queue/spool_state.h"

namespace baudbridge {

/// A record that was found, whole by its checksum.
struct Found {
  StoredRecord record;
  bool aside = false;
};

/// First follows the file's own structure, as far as it holds; then, if it did not hold everywhere, looks into every
/// page of the file and of its WAL for what looks like one of our rows. Nothing is trusted but the checksum of each
/// record. The file is only read. Resumable: the mark says how far it has come, so that a large file is read bit by
/// bit, and a restart goes on where it was. Threads: none of its own; one caller.
class Salvage {
 public:
  enum Phase : std::uint8_t { kQueueTable, kAsideTable, kPages, kWalPages, kFinished };

  explicit Salvage(std::string path);
  ~Salvage();

  /// Reads on from the mark and moves it. True: there is more. mark.damaged counts what looks like a record but is not
  /// whole.
  bool step(SalvageMark& mark, std::vector<Found>& found);
  [[nodiscard]] bool structure_lost() const { return structure_lost_; }

 private:
  bool step_table(SalvageMark& mark, std::vector<Found>& found);
  bool step_pages(SalvageMark& mark, std::vector<Found>& found);
  void search_page(std::string_view page, SalvageMark& mark, std::vector<Found>& found) const;
  [[nodiscard]] std::optional<std::string> load_page(std::uint32_t number, bool from_wal) const;
  [[nodiscard]] std::string payload(std::string_view local, std::uint64_t size, std::uint32_t overflow,
                                    bool from_wal) const;

  std::string path_;
  std::unique_ptr<Spool> spool_;
  UniqueFd file_;
  UniqueFd wal_;
  bool structure_lost_ = false;
};

}  // namespace baudbridge
