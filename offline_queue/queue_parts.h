#pragma once
// The owners behind Queue. Private to this folder.
#include <memory>
#include <utility>

#include "offline_queue/boot_history.h"
#include "offline_queue/handout.h"
#include "offline_queue/losses.h"
#include "offline_queue/queue_options.h"
#include "offline_queue/salvage.h"
#include "offline_queue/seq_numbers.h"
#include "offline_queue/store_handle.h"
#include "offline_queue/tail.h"

namespace baudbridge {

/// The owners of one queue's data, for the parts of the program that work on several of them: Transfer, recovery, admin.
struct QueueParts {
  QueueParts(QueueOptions queue_options, const BootId& boot)
      : options(std::move(queue_options)),
        tail(options.tail_path),
        store(StoreOptions{options.store_path, options.config.max_size_bytes, options.vfs}),
        numbers(options.number_block),
        boots(boot),
        handout(tail, store, losses, numbers, options.config.durability == Durability::strict) {}
  QueueParts(const QueueParts&) = delete;
  QueueParts& operator=(const QueueParts&) = delete;

  /// Kept in the tail until an event reports it.
  void record_loss(const Loss& loss) {
    losses.add(loss);
    tail.set_unreported(losses.encode());
  }

  QueueOptions options;
  Tail tail;
  LoadedTail loaded_tail;
  StoreHandle store;
  SeqNumbers numbers;
  BootHistory boots;
  Losses losses;
  Handout handout;
  std::unique_ptr<Salvage> salvage;  ///< of a damaged file; null: there is none
};

}  // namespace baudbridge
