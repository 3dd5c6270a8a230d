#include "flat_scan.hpp"

#include <algorithm>
#include <functional>

namespace engram {
namespace {

// Sign bits alone rank coarsely, so a pass keeps kKeptPerWanted times the wanted number of slots, and at least
// kKeptMin.
constexpr std::size_t kKeptPerWanted = 4;
constexpr std::size_t kKeptMin = 512;

// A core has about two dozen cache lines under way. With so many rows asked for ahead, it has them while it measures.
constexpr std::size_t kRowsAhead = 32;
constexpr std::size_t kRowsAtOnce = 16;
static_assert(kRowsAhead + kRowsAtOnce <= Probe::kRowsMax);

// Returns the end of the slots from `first` to `last` that lie in one chunk, where memory is contiguous.
Slot chunk_end(Slot first, Slot last) {
  return std::min(last, static_cast<Slot>((first | (SlotTable::kChunkSlots - 1)) + 1));
}

}  // namespace

template <class Visit>
void FlatScan::for_each_allowed(Visit visit) const {
  for (Slot first = first_, end = first_; first < last_; first = end) {
    end = chunk_end(first, last_);
    const Generation born = view_.born(table_, first);
    const Generation newest = view_.born(table_, end - 1);
    if (newest - born == end - 1 - first) {
      // No generation is missing in the chunk, so the allow-list gives the slots directly, and most of a large index is
      // skipped word by word.
      view_.allowed.for_each(born, newest, [&](Generation g) { visit(first + static_cast<Slot>(g - born)); });
      continue;
    }
    for (Slot slot = first; slot < end; ++slot) {
      if (view_.allowed.allows(table_.born(slot).load(std::memory_order_relaxed))) visit(slot);
    }
  }
}

void FlatScan::begin(const View& view, Slot first, Slot last, const VisitedSet* met) {
  view_ = view;
  met_ = met;
  first_ = first;
  last_ = last;
  complete_ = first >= last;
  next_ = 0;
  kept_.clear();
}

void FlatScan::take_allowed(std::vector<Candidate>& out) {
  for_each_allowed([&](Slot slot) {
    if (!leaves_out(slot)) out.push_back({0.0F, slot});
  });
  complete_ = true;
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
  if (view_.allowed) {
    pass_allowed(nearest_max);
  } else {
    pass_all(nearest_max);
  }
  cut(nearest_max);
  complete_ = beyond_ == ~WalkKey{0};
  next_ = beyond_;
  keep_nearest();
}

void FlatScan::pass_all(std::size_t nearest_max) {
  for (Slot first = first_, end = first_; first < last_; first = end) {
    end = std::min(chunk_end(first, last_), static_cast<Slot>(first + Probe::kRowsMax));
    probe_.scan(first, end, distances_);
    for (Slot slot = first; slot < end; ++slot) slots_[slot - first] = slot;
    offer(end - first, nearest_max);
  }
}

void FlatScan::pass_allowed(std::size_t nearest_max) {
  std::size_t n = 0;
  const auto measure = [&](std::size_t count) {
    probe_.scan(slots_, count, distances_);
    offer(count, nearest_max);
    n -= count;
    std::copy(slots_ + count, slots_ + count + n, slots_);
  };
  for_each_allowed([&](Slot slot) {
    // Rows that lie scattered are measured some rows after they have been asked for, and meanwhile others are.
    probe_.prefetch_row(slot);
    slots_[n++] = slot;
    if (n == kRowsAhead + kRowsAtOnce) measure(kRowsAtOnce);
  });
  measure(n);
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
