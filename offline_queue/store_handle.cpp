#include "offline_queue/store_handle.h"

namespace baudbridge {

void StoreHandle::open(std::unique_ptr<Store> store) {
  store_ = std::move(store);
  state_ = store_->state();
}

void StoreHandle::close(bool keep_wal) {
  if (store_ && keep_wal) store_->keep_wal_on_close();
  store_.reset();
}

void StoreHandle::clear_error() {
  error_.clear();
  retry_at_ = Steady::max();
}

}  // namespace baudbridge
