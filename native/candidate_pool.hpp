// The candidates of one walk, sorted by distance. One integer holds the distance of a candidate, its slot, and whether
// it has been expanded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "types.hpp"

namespace engram {

class CandidatePool {
 public:
  void reset(std::size_t capacity) {
    if (keys_.size() < capacity) keys_.resize(capacity);
    capacity_ = capacity;
    size_ = 0;
    cursor_ = 0;
  }

  std::size_t size() const { return size_; }
  bool full() const { return size_ == capacity_; }

  Slot slot(std::size_t i) const { return static_cast<Slot>(keys_[i] & 0xFFFFFFFFU) >> 1; }

  void offer(std::uint32_t distance, Slot slot) {
    const std::uint64_t key = (static_cast<std::uint64_t>(distance) << 32) | (static_cast<std::uint64_t>(slot) << 1);
    if (full()) {
      if (size_ == 0 || key >= keys_[size_ - 1]) return;
    } else {
      ++size_;
    }
    std::size_t i = size_ - 1;
    for (; i > 0 && keys_[i - 1] > key; --i) keys_[i] = keys_[i - 1];
    keys_[i] = key;
    if (i < cursor_) cursor_ = i;
  }

  // Keeps, of the candidates for which keeps(slot) is true, the nearest `count_max`. Nothing may be expanded
  // afterwards.
  template <class Keeps>
  void keep(std::size_t count_max, Keeps keeps) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_ && kept < count_max; ++i) {
      if (keeps(slot(i))) keys_[kept++] = keys_[i];
    }
    size_ = kept;
    cursor_ = kept;
  }

  // Returns the nearest candidate that is not expanded yet and marks it as expanded; kNoSlot if there is none.
  Slot take_nearest() {
    while (cursor_ < size_ && (keys_[cursor_] & 1U) != 0) ++cursor_;
    if (cursor_ == size_) return kNoSlot;
    keys_[cursor_] |= 1U;
    return slot(cursor_);
  }

  // Returns the candidate that `take_nearest` would return next, for prefetching; kNoSlot if there is none.
  Slot peek() const {
    for (std::size_t i = cursor_; i < size_; ++i) {
      if ((keys_[i] & 1U) == 0) return slot(i);
    }
    return kNoSlot;
  }

 private:
  std::vector<std::uint64_t> keys_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
  std::size_t cursor_ = 0;
};

}  // namespace engram
