// Scans a range of slots and yields them nearest first. Used for the unlinked tail, and for everything when so few
// slots are visible that a graph walk would cost more.
//
// A pass measures the whole range by the cheapest distance (the Hamming distance between sign bits, where those steer
// walks) and keeps the nearest few slots, which it then measures as a walk does. When the kept slots are used up,
// another pass keeps the next nearest. So memory is bounded for any length of the range, and no slot of it is missed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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
  // What one thread finds in a pass.
  struct Part {
    std::vector<WalkKey> nearest;
    WalkKey beyond = 0;  // Keys from this one on are left to a later pass.
    Slot slots[Probe::kRowsMax];
    std::uint32_t distances[Probe::kRowsMax];
  };

  // Adds the nearest slots that were not kept yet to kept_: at least `n`, if there are that many.
  void pass(std::size_t n);
  // Measures all slots from `first` to `last`, and leaves out the hidden ones among the nearest.
  void pass_all(Probe& probe, Part& part, Slot first, Slot last) const;
  // Measures those slots from `first` to `last` that the allow-list lets through.
  void pass_allowed(Probe& probe, Part& part, Slot first, Slot last) const;
  // Does a pass over the whole range, on two threads.
  void pass_together();
  // Calls visit(slot) for each slot from `first` to `last` that the allow-list lets through.
  template <class Visit>
  void for_each_allowed(Slot first, Slot last, Visit visit) const;
  // Keeps the nearest of the first `n` slots of `part`, by their distances.
  void offer(Part& part, std::size_t n) const;
  bool leaves_out(Slot slot) const {
    return (view_.deletions && !view_.is_alive(table_, slot)) || (met_ != nullptr && met_->contains(slot));
  }
  // Keeps only the nearest `nearest_max_` candidates of `part`.
  void cut(Part& part) const;
  void keep_nearest();

  const SlotTable& table_;
  Probe& probe_;
  View view_;
  const VisitedSet* met_ = nullptr;
  Slot first_ = 0;
  Slot last_ = 0;
  bool complete_ = true;         // Whether every visible slot of the range has been kept.
  WalkKey next_ = 0;             // Keys below this one (by the cheap distance) were kept.
  std::size_t nearest_max_ = 0;  // How many candidates a pass keeps.
  std::vector<WalkKey> kept_;    // Min-heap by walking distance.
  Part part_;
  // Those of the second thread, made when there is something for it.
  std::unique_ptr<Probe> second_probe_;
  std::unique_ptr<Part> second_part_;
};

}  // namespace engram
