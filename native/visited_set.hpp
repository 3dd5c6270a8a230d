// The slots that one walk has met: an open-addressed hash set of a few kilobytes, for any size of the index.
//
// A byte per slot of the index would be simpler. But at a million slots these bytes no longer fit into the caches
// beside the codes, and a walk that is kept for later would hold a megabyte.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <vector>

#include "types.hpp"

namespace engram {

class VisitedSet {
 public:
  // Removes all slots, and makes room for `expected` slots without growing.
  void reset(std::size_t expected) {
    const std::size_t wanted = std::bit_ceil(std::max<std::size_t>(expected * 2, kPlacesMin));
    if (places_.size() != wanted) places_.resize(wanted);
    std::fill(places_.begin(), places_.end(), kNoSlot);
    shift_ = static_cast<int>(64 - std::bit_width(wanted - 1));
    count_ = 0;
  }

  // Adds a slot and returns whether the walk meets it for the first time.
  bool insert(Slot slot) {
    const std::size_t mask = places_.size() - 1;
    std::size_t at = place(slot);
    while (places_[at] != kNoSlot) {
      if (places_[at] == slot) return false;
      at = (at + 1) & mask;
    }
    places_[at] = slot;
    if (++count_ * 2 > places_.size()) grow();
    return true;
  }

  bool contains(Slot slot) const {
    const std::size_t mask = places_.size() - 1;
    std::size_t at = place(slot);
    while (places_[at] != kNoSlot && places_[at] != slot) at = (at + 1) & mask;
    return places_[at] == slot;
  }

  std::size_t nbytes() const { return places_.size() * sizeof(Slot); }

 private:
  static constexpr std::size_t kPlacesMin = 512;

  // Fibonacci hashing: takes the top bits of a product, so that neighbouring slots spread out.
  std::size_t place(Slot slot) const { return (slot * 0x9E3779B97F4A7C15ULL) >> shift_; }

  void grow() {
    std::vector<Slot> old(places_.size() * 2, kNoSlot);
    old.swap(places_);
    --shift_;
    const std::size_t mask = places_.size() - 1;
    for (const Slot slot : old) {
      if (slot == kNoSlot) continue;
      std::size_t at = place(slot);
      while (places_[at] != kNoSlot) at = (at + 1) & mask;
      places_[at] = slot;
    }
  }

  std::vector<Slot> places_;
  int shift_ = 0;
  std::size_t count_ = 0;
};

}  // namespace engram
