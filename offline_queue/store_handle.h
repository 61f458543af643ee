#pragma once
// The store while the disk works, and while it does not. Private to this folder.
#include <memory>
#include <string>
#include <utility>

#include "core/result.h"
#include "core/time.h"
#include "offline_queue/store.h"

namespace baudbridge {

/// The store, open or closed, with the error of the disk and the time of the next attempt.
/// Threads: one owner.
class StoreHandle {
 public:
  explicit StoreHandle(StoreOptions options) : options_(std::move(options)) {}
  [[nodiscard]] const StoreOptions& options() const { return options_; }
  [[nodiscard]] const std::string& path() const { return options_.path; }

  [[nodiscard]] bool is_open() const { return store_ != nullptr; }
  /// Open, and the last access to it succeeded.
  [[nodiscard]] bool works() const { return store_ != nullptr && error_.empty(); }
  [[nodiscard]] Store& operator*() const { return *store_; }
  [[nodiscard]] Store* operator->() const { return store_.get(); }
  /// As of the last commit, also while the store is closed.
  [[nodiscard]] const StoreState& state() const { return state_; }
  void set_state(const StoreState& state) { state_ = state; }

  void open(std::unique_ptr<Store> store);
  /// keep_wal: the next opening finds the WAL as it is now.
  void close(bool keep_wal);

  /// Why the disk does not work; empty when it does.
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] Steady retry_at() const { return retry_at_; }
  void set_error(std::string error) { error_ = std::move(error); }
  void retry_at(Steady time) { retry_at_ = time; }
  void clear_error();

 private:
  StoreOptions options_;
  std::unique_ptr<Store> store_;
  StoreState state_;
  std::string error_;
  Steady retry_at_ = Steady::max();
};

}  // namespace baudbridge
