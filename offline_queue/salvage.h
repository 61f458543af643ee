#pragma once
// The readable records of a damaged store. Private to this folder.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"
#include "offline_queue/store.h"
#include "offline_queue/store_state.h"

namespace baudbridge {

/// A record that was found; its checksum fits.
struct Found {
  StoredRecord record;
  bool dead_letter = false;
};

/// Reads records from a damaged file of the store: first with SQLite, as far as it can read it; then, unless all records
/// were found, by searching every page of the file and its WAL for rows of the store. Only the checksum of each record is
/// trusted. The file is never changed. The mark is the position: a large file is read in steps, also after a restart.
/// Threads: none of its own; one caller.
class Salvage {
 public:
  enum Phase : std::uint8_t { kQueueTable, kDeadLetterTable, kPages, kWalPages, kFinished };

  explicit Salvage(std::string path);
  ~Salvage();

  /// Reads from the mark and moves it. True: there is more. mark.damaged counts records whose checksum is wrong.
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
  std::unique_ptr<Store> store_;
  UniqueFd file_;
  UniqueFd wal_;
  bool structure_lost_ = false;
};

}  // namespace baudbridge
