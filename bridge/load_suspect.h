#pragma once
// Does a broker that refuses for load refuse everything, or one record? Pure.
#include <utility>

#include "core/record.h"

namespace baudbridge {

/// A record that is refused for load again and again is held back, and the next one goes before it. If that is taken,
/// and the held one refused once more, several times over, it was not the load: no record holds up the others for good
/// (contract section 6.4).
/// Threads: one owner.
class LoadSuspect {
 public:
  struct Judgement {
    Seq seq = 0;          ///< the one that was held back; 0: none was
    bool guilty = false;  ///< it is to be dead-lettered; otherwise to be sent again
  };

  /// True: hold it back. False: it is to be sent again.
  [[nodiscard]] bool refused(Seq seq) {
    if (held_) return false;
    if (seq != seq_) *this = LoadSuspect();
    seq_ = seq;
    held_ = ++refusals_ >= kTestTimeout || proofs_ > 0;
    return held_;
  }
  [[nodiscard]] Judgement delivered(Seq seq) {
    if (seq == seq_) forget();
    if (!std::exchange(held_, false)) return {};
    const Judgement judgement{seq_, ++proofs_ >= kProofs};
    if (judgement.guilty) forget();
    return judgement;
  }
  /// The one that was held back is to be sent again: another was refused too, or there is none. 0: none was.
  [[nodiscard]] Seq release() {
    if (!held_) return 0;
    const Seq seq = seq_;
    forget();
    return seq;
  }
  void forget() { *this = LoadSuspect(); }

  static constexpr unsigned kTestTimeout = 8;  ///< about half a minute, as LoadPace pauses
  static constexpr unsigned kProofs = 3;

 private:
  Seq seq_ = 0;
  unsigned refusals_ = 0;
  unsigned proofs_ = 0;  ///< others that were taken while it was held back
  bool held_ = false;
};

}  // namespace baudbridge
