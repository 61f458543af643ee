#pragma once
// SQLite alone, as the measure of what the store could do at most, and what is written to disk through it.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace baudbridge::bench {

/// What went through the counting file system since the last reset.
struct DiskCounts {
  std::uint64_t bytes = 0;  ///< handed to the operating system
  std::uint64_t writes = 0;
  std::uint64_t syncs = 0;
  DiskCounts& operator+=(const DiskCounts& other) {
    bytes += other.bytes;
    writes += other.writes;
    syncs += other.syncs;
    return *this;
  }
  friend DiskCounts operator-(const DiskCounts& a, const DiskCounts& b) {
    return {a.bytes - b.bytes, a.writes - b.writes, a.syncs - b.syncs};
  }
};
/// SQLite's usual file system with counts, under this name.
inline constexpr const char* kCountingVfs = "counting";
void register_counting_vfs();
DiskCounts disk_counts();

/// A table of numbered bodies with the store's own settings: WAL, synchronous=FULL, exclusive, pages of 4096 bytes, a
/// checkpoint after 128 frames. Errors: std::runtime_error.
class BareStore {
 public:
  explicit BareStore(const std::string& path);
  ~BareStore();
  BareStore(const BareStore&) = delete;
  BareStore& operator=(const BareStore&) = delete;
  /// So many records in one transaction.
  void insert(std::string_view body, std::uint64_t count);

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
  std::uint64_t next_ = 1;
};

}  // namespace baudbridge::bench
