// The nearest of a range of slots, from the nearest on: of what is not linked yet, and of all where so little can be
// seen that a walk would cost more.
//
// A pass measures the whole range by the cheapest distance there is, Hamming between sign bits where those steer, and
// keeps the few nearest, which it then measures as a walk does. When those are used up, another pass keeps the next
// ones. So memory is bounded however long the range is, and nothing in it is missed.
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

  // Starts anew, in what `view` sees of the slots [first, last). What is in `met` is left out; both must stay as they
  // are for as long as the scan goes on.
  void begin(const View& view, Slot first, Slot last, const VisitedSet* met = nullptr);
  // Appends up to `n` of the nearest that were not taken before, with their walking distances.
  void take(std::size_t n, std::vector<WalkKey>& out);
  // Undoes the taking of one.
  void give_back(WalkKey key);

 private:
  // Puts the nearest that were not kept yet into kept_, at least `n` if there are so many.
  void pass(std::size_t n);
  void offer(std::size_t n, std::size_t nearest_max);
  // Writes what is to be measured of the slots [first, end) to slots_, its distances to distances_, and returns how
  // many they are. Where no list says what is allowed, that is all; what is hidden is then left out by `offer`.
  std::size_t measure_run(Slot first, Slot end);
  std::size_t allowed_of_run(Slot first, Slot end);
  bool leaves_out(Slot slot) const;
  // Leaves the nearest `nearest_max` of a pass.
  void cut(std::size_t nearest_max);
  void keep_nearest();

  const SlotTable& table_;
  Probe& probe_;
  View view_;
  const VisitedSet* met_ = nullptr;
  Slot first_ = 0;
  Slot last_ = 0;
  bool complete_ = true;          // Whether all that is seen was kept at some time.
  WalkKey next_ = 0;              // By the cheap distance: what comes before was kept,
  WalkKey beyond_ = 0;            // and what comes from here on is for a later pass.
  std::vector<WalkKey> nearest_;  // What a pass found in between.
  std::vector<WalkKey> kept_;     // Min-heap by walking distance.
  Slot slots_[Probe::kRowsMax];
  std::uint32_t distances_[Probe::kRowsMax];
};

}  // namespace engram
