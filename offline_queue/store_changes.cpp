#include "offline_queue/store_changes.h"

namespace baudbridge {

void StoreChanges::acknowledge(Seq seq) {
  if (acknowledged_.insert(seq)) unwritten_.insert(seq);
  dead_letters_.erase(seq);
}

std::vector<StoreChanges::Note> StoreChanges::number_unwritten(std::uint64_t& index) {
  std::vector<Note> numbered;
  for (const auto& [first, last] : unwritten_) numbered.push_back({++index, first, last});
  notes_.insert(notes_.end(), numbered.begin(), numbered.end());
  unwritten_.clear();
  return numbered;
}

void StoreChanges::restore(const Note& note) {
  notes_.push_back(note);
  acknowledged_.insert(note.first, note.last);
}

void StoreChanges::committed(std::uint64_t index) {
  while (!notes_.empty() && notes_.front().index <= index) notes_.pop_front();
  acknowledged_.clear();
  for (const auto& note : notes_) acknowledged_.insert(note.first, note.last);
  for (const auto& [first, last] : unwritten_) acknowledged_.insert(first, last);
}

void StoreChanges::clear() {
  acknowledged_.clear();
  unwritten_.clear();
  notes_.clear();
  dead_letters_.clear();
}

}  // namespace baudbridge
