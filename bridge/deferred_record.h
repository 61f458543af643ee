#pragma once
// A broker that rejects for load: does it reject every record, or only one? Pure.
#include <utility>

#include "core/record.h"

namespace baudbridge {

/// The record that the broker rejects for load repeatedly. It is deferred, and the next one is published before it. If
/// the broker acknowledges that one and rejects the deferred record again, several times, load is not the reason: the
/// record is dead-lettered, so that it does not block the others (contract section 6.4).
/// Threads: one owner.
class DeferredRecord {
 public:
  struct Decision {
    Seq seq = 0;               ///< the deferred record; 0: none was deferred
    bool dead_letter = false;  ///< false: publish it again
  };

  /// True: the record is deferred. False: publish it again.
  [[nodiscard]] bool rejected(Seq seq) {
    if (deferred_) return false;
    if (seq != seq_) *this = DeferredRecord();
    seq_ = seq;
    deferred_ = ++rejections_ >= kRejections || others_ > 0;
    return deferred_;
  }
  [[nodiscard]] Decision acknowledged(Seq seq) {
    if (seq == seq_) reset();
    if (!std::exchange(deferred_, false)) return {};
    const Decision decision{seq_, ++others_ >= kOthers};
    if (decision.dead_letter) reset();
    return decision;
  }
  /// Ends the deferral: another record was rejected as well, or there is no other. Result: the record to be published
  /// again; 0: none was deferred.
  [[nodiscard]] Seq release() {
    if (!deferred_) return 0;
    const Seq seq = seq_;
    reset();
    return seq;
  }
  void reset() { *this = DeferredRecord(); }

  static constexpr unsigned kRejections = 8;  ///< about half a minute, as LoadBackoff pauses
  static constexpr unsigned kOthers = 3;

 private:
  Seq seq_ = 0;
  unsigned rejections_ = 0;
  unsigned others_ = 0;  ///< records acknowledged while this one was deferred
  bool deferred_ = false;
};

}  // namespace baudbridge
