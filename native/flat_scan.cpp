#include "flat_scan.hpp"

#include <algorithm>
#include <functional>

namespace engram {
namespace {

// Sign bits alone rank coarsely, so a pass keeps kKeptPerWanted times the wanted number of slots, and at least
// kKeptMin.
constexpr std::size_t kKeptPerWanted = 4;
constexpr std::size_t kKeptMin = 512;

// Returns the end of the run of slots from `first` that a probe can measure at once: at most kRowsMax slots, in one
// chunk, where memory is contiguous.
Slot run_end(Slot first, Slot last) {
  const auto chunk_end = static_cast<Slot>((first | (SlotTable::kChunkSlots - 1)) + 1);
  return std::min({last, chunk_end, static_cast<Slot>(first + Probe::kRowsMax)});
}

}  // namespace

void FlatScan::begin(const View& view, Slot first, Slot last, const VisitedSet* met) {
  view_ = view;
  met_ = met;
  first_ = first;
  last_ = last;
  complete_ = first >= last;
  next_ = 0;
  kept_.clear();
}

void FlatScan::take(std::size_t n, std::vector<WalkKey>& out) {
  if (kept_.size() < n && !complete_) pass(n);
  for (; n > 0 && !kept_.empty(); --n) {
    std::pop_heap(kept_.begin(), kept_.end(), std::greater<>());
    out.push_back(kept_.back());
    kept_.pop_back();
  }
}

void FlatScan::give_back(WalkKey key) {
  kept_.push_back(key);
  std::push_heap(kept_.begin(), kept_.end(), std::greater<>());
}

void FlatScan::pass(std::size_t n) {
  const std::size_t nearest_max = std::max(kKeptMin, n * kKeptPerWanted);
  nearest_.clear();
  beyond_ = ~WalkKey{0};
  Slot first = first_;
  while (first < last_) {
    const Slot end = run_end(first, last_);
    offer(measure_run(first, end), nearest_max);
    first = end;
  }
  cut(nearest_max);
  complete_ = beyond_ == ~WalkKey{0};
  next_ = beyond_;
  keep_nearest();
}

std::size_t FlatScan::measure_run(Slot first, Slot end) {
  if (view_.allowed) {
    const std::size_t n = allowed_of_run(first, end);
    probe_.scan(slots_, n, distances_);
    return n;
  }
  probe_.scan(first, end, distances_);
  for (Slot slot = first; slot < end; ++slot) slots_[slot - first] = slot;
  return end - first;
}

std::size_t FlatScan::allowed_of_run(Slot first, Slot end) {
  std::size_t n = 0;
  const auto take = [&](Slot slot) {
    slots_[n] = slot;
    n += view_.allowed.allows(table_.born(slot).load(std::memory_order_relaxed)) ? 1 : 0;
  };
  const Generation born = table_.born(first).load(std::memory_order_relaxed);
  const Generation newest = table_.born(end - 1).load(std::memory_order_relaxed);
  if (newest - born == end - 1 - first) {
    // No generation is missing in the run, so the allow-list gives the slots directly, and most of a large index is
    // skipped word by word.
    view_.allowed.for_each(born, newest, [&](Generation g) { slots_[n++] = first + static_cast<Slot>(g - born); });
  } else {
    for (Slot slot = first; slot < end; ++slot) take(slot);
  }
  return n;
}

void FlatScan::offer(std::size_t n, std::size_t nearest_max) {
  for (std::size_t i = 0; i < n; ++i) {
    const WalkKey key = walk_key(distances_[i], slots_[i]);
    if (key >= beyond_ || key < next_ || leaves_out(slots_[i])) continue;
    nearest_.push_back(key);
    // Half of the candidates are dropped at once, which costs less than keeping a heap.
    if (nearest_.size() == 2 * nearest_max) cut(nearest_max);
  }
}

void FlatScan::cut(std::size_t nearest_max) {
  if (nearest_.size() <= nearest_max) return;
  const auto end = nearest_.begin() + static_cast<std::ptrdiff_t>(nearest_max);
  std::nth_element(nearest_.begin(), end, nearest_.end());
  beyond_ = *end;
  nearest_.erase(end, nearest_.end());
}

bool FlatScan::leaves_out(Slot slot) const {
  return (view_.hides() && !view_.sees(table_, slot)) || (met_ != nullptr && met_->contains(slot));
}

void FlatScan::keep_nearest() {
  for (std::size_t begin = 0; begin < nearest_.size(); begin += Probe::kRowsMax) {
    const std::size_t n = std::min(Probe::kRowsMax, nearest_.size() - begin);
    for (std::size_t i = 0; i < n; ++i) slots_[i] = slot_in(nearest_[begin + i]);
    probe_.measure(slots_, n, distances_);
    for (std::size_t i = 0; i < n; ++i) kept_.push_back(walk_key(distances_[i], slots_[i]));
  }
  std::make_heap(kept_.begin(), kept_.end(), std::greater<>());
}

}  // namespace engram
