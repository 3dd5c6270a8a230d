// What one search can see, fixed before the search begins: a snapshot and, if the search is filtered, an allow-list.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/kernels.hpp"
#include "slot_table.hpp"
#include "types.hpp"

namespace engram {

// A bitmap of the generations that a filter lets through, from `begin` on, a multiple of 64. Generations before and
// beyond the bitmap are not allowed. The words belong to the caller.
class AllowList {
 public:
  AllowList() = default;
  AllowList(const std::uint64_t* words, std::size_t count, Generation begin = 0)
      : words_(words), count_(count), first_(begin / 64), allowed_(kernels().count(words, count)) {}

  explicit operator bool() const { return words_ != nullptr; }
  std::size_t allowed() const { return allowed_; }
  bool allows(Generation g) const {
    // Before the bitmap, the difference is larger than any count.
    const Generation w = g / 64 - first_;
    return w < count_ && ((words_[w] >> (g % 64)) & 1U) != 0;
  }
  // Calls visit(generation) for each allowed generation in [first, last], in ascending order.
  template <class Visit>
  void for_each(Generation first, Generation last, Visit visit) const {
    const Generation end = std::min<Generation>(last / 64 + 1, first_ + count_);
    for (Generation w = std::max<Generation>(first / 64, first_); w < end; ++w) {
      for (std::uint64_t word = words_[w - first_]; word != 0; word &= word - 1) {
        const Generation g = w * 64 + static_cast<Generation>(std::countr_zero(word));
        if (g >= first && g <= last) visit(g);
      }
    }
  }

 private:
  const std::uint64_t* words_ = nullptr;
  std::size_t count_ = 0;
  Generation first_ = 0;
  std::size_t allowed_ = 0;
};

struct View {
  Slot count = 0;                 // Only slots [0, count) can be visible.
  Slot linked = 0;                // Slots [0, linked) are in the graph; the rest is the tail.
  bool whole_graph = true;        // Whether all nodes of the graph were below `count` when the view was made.
  Generation snapshot = kNever;   // The newest visible generation; kNever: all below `count`.
  bool deletions = false;         // Whether any version has ended.
  double visible_fraction = 1.0;  // Approximate share of the graph's nodes that are visible.
  AllowList allowed;
  bool shared = false;  // Whether a second thread may take part in large scans.
  // The slots below `count` have the generations from this one on, without a gap, as is usual; 0: there are gaps.
  Generation gapless_from = 0;

  // The generation of a slot below `count`. It need not be read from far away in memory where there are no gaps.
  Generation born(const SlotTable& table, Slot slot) const {
    return gapless_from != 0 ? gapless_from + slot : table.born(slot).load(std::memory_order_acquire);
  }

  // Whether any slot below `count` may be hidden.
  bool hides() const { return deletions || allowed; }

  // Whether a slot below `count` is visible: these were born at the snapshot or before.
  bool sees(const SlotTable& table, Slot slot) const {
    if (allowed && !allowed.allows(born(table, slot))) return false;
    return is_alive(table, slot);
  }

  // As `sees`, for a slot that the allow-list is known to let through.
  bool is_alive(const SlotTable& table, Slot slot) const {
    if (!deletions) return true;
    const Generation died = table.died(slot).load(std::memory_order_acquire);
    return died == 0 || died > snapshot;
  }

  // How many rows a flat scan would have to measure, counted as rows that lie one behind the other.
  double scan_rows() const {
    if (!allowed) return count;
    const auto measured = static_cast<double>(std::min<std::size_t>(allowed.allowed(), count));
    // Allowed slots lie scattered in memory, so each costs two rows. What the allow-list leaves out is skipped word by
    // word; where generations have gaps, that of each slot is looked at.
    return 2.0 * measured + static_cast<double>(count) / (gapless_from != 0 ? 1024.0 : 8.0);
  }
};

}  // namespace engram
