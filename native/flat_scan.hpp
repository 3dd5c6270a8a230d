// Scans a range of slots and yields them nearest first. Used for the unlinked tail, and for everything when so few
// slots are visible that a graph walk would cost more.
//
// A pass measures the whole range by the cheapest distance (the Hamming distance between sign bits, where those steer
// walks) and keeps the nearest few slots, which it then measures as a walk does. When the kept slots are used up,
// another pass keeps the next nearest. So memory is bounded for any length of the range, and no slot of it is missed.
#pragma once

#include <cstddef>
#include <vector>

#include "probe.hpp"
#include "slot_table.hpp"
#include "view.hpp"
#include "visited_set.hpp"
#include "walk_key.hpp"

namespace engram {

class FlatScan {
 public:
  FlatScan(const SlotTable& table, Probe& probe) : table_(table), probe_(probe) {}

  // Starts a new scan over the slots of [first, last) that `view` sees and `met` does not contain. `met` and the words
  // of the view's allow-list must stay in place and unchanged as long as the scan goes on.
  void begin(const View& view, Slot first, Slot last, const VisitedSet* met = nullptr);
  // Appends all slots of the range that the allow-list lets through and the view sees, in their order, and ends the
  // scan.
  void take_allowed(std::vector<Candidate>& out);
  // Appends up to `n` of the nearest slots that were not taken before, with their walking distances.
  void take(std::size_t n, std::vector<WalkKey>& out);
  // Puts back a slot that was taken.
  void give_back(WalkKey key);

 private:
  // Adds the nearest slots that were not kept yet to kept_: at least `n`, if there are that many.
  void pass(std::size_t n);
  // Measures all slots of the range, and leaves out the hidden ones among the nearest.
  void pass_all(std::size_t nearest_max);
  // Measures those slots of the range that the allow-list lets through.
  void pass_allowed(std::size_t nearest_max);
  // Calls visit(slot) for each slot of the range that the allow-list lets through.
  template <class Visit>
  void for_each_allowed(Visit visit) const;
  // Keeps the nearest of the first `n` of slots_, by their distances_.
  void offer(std::size_t n, std::size_t nearest_max);
  bool leaves_out(Slot slot) const {
    return (view_.deletions && !view_.is_alive(table_, slot)) || (met_ != nullptr && met_->contains(slot));
  }
  // Keeps only the nearest `nearest_max` candidates of a pass.
  void cut(std::size_t nearest_max);
  void keep_nearest();

  const SlotTable& table_;
  Probe& probe_;
  View view_;
  const VisitedSet* met_ = nullptr;
  Slot first_ = 0;
  Slot last_ = 0;
  bool complete_ = true;          // Whether every visible slot of the range has been kept.
  WalkKey next_ = 0;              // Keys below this one (by the cheap distance) were kept.
  WalkKey beyond_ = 0;            // Keys from this one on are left to a later pass.
  std::vector<WalkKey> nearest_;  // The candidates that a pass found in between.
  std::vector<WalkKey> kept_;     // Min-heap by walking distance.
  Slot slots_[Probe::kRowsMax];
  std::uint32_t distances_[Probe::kRowsMax];
};

}  // namespace engram
