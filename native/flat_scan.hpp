// A flat scan of a range of slots: of what is not linked yet, and of all where so little can be seen that a walk would
// cost more.
#pragma once

#include <algorithm>
#include <cstdint>

#include "probe.hpp"
#include "slot_table.hpp"
#include "view.hpp"

namespace engram {

// The end of a run of slots from `first` that is no longer than a probe takes and lies in one chunk, where memory is
// contiguous.
inline Slot run_end(Slot first, Slot last) {
  const auto chunk_end = static_cast<Slot>((first | (SlotTable::kChunkSlots - 1)) + 1);
  return std::min({last, chunk_end, static_cast<Slot>(first + Probe::kRowsMax)});
}

// Writes those slots of a run that the view sees to `out` and returns how many they are.
inline std::size_t seen_of_run(const SlotTable& table, const View& view, Slot first, Slot end, Slot* out) {
  std::size_t n = 0;
  const auto take = [&](Slot slot) {
    out[n] = slot;
    n += view.sees(table, slot) ? 1 : 0;
  };
  const Generation born = table.born(first).load(std::memory_order_relaxed);
  const Generation newest = table.born(end - 1).load(std::memory_order_relaxed);
  if (view.allowed && newest - born == end - 1 - first) {
    // No generation of the run is missing, so the list tells the slots: most of a large index is skipped word by word.
    view.allowed.for_each(born, newest, [&](Generation g) { take(first + static_cast<Slot>(g - born)); });
  } else {
    for (Slot slot = first; slot < end; ++slot) take(slot);
  }
  return n;
}

// Calls visit(slot, distance) for what the view sees in [first, last), with distances as `Probe::measure` gives them.
template <class Visit>
void scan_seen(Probe& probe, const SlotTable& table, const View& view, Slot first, Slot last, Visit visit) {
  Slot slots[Probe::kRowsMax];
  std::uint32_t distances[Probe::kRowsMax];
  while (first < last) {
    const Slot end = run_end(first, last);
    const std::size_t n = seen_of_run(table, view, first, end, slots);
    probe.measure(slots, n, distances);
    for (std::size_t i = 0; i < n; ++i) visit(slots[i], distances[i]);
    first = end;
  }
}

}  // namespace engram
