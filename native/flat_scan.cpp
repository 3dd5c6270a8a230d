#include "flat_scan.hpp"

#include <algorithm>
#include <functional>

#include "second_thread.hpp"

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

// To scan fewer rows takes hardly longer than to wake another thread. Two threads take pieces of so many slots in turn.
constexpr std::size_t kSharedMin = 20'000;
constexpr std::size_t kPieceSlots = std::size_t{1} << 15;

// Returns the end of the slots from `first` to `last` that lie in one chunk, where memory is contiguous.
Slot chunk_end(Slot first, Slot last) {
  return std::min(last, static_cast<Slot>((first | (SlotTable::kChunkSlots - 1)) + 1));
}

}  // namespace

template <class Visit>
void FlatScan::for_each_allowed(Slot first, Slot last, Visit visit) const {
  for (Slot end = first; first < last; first = end) {
    end = chunk_end(first, last);
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
  for_each_allowed(first_, last_, [&](Slot slot) {
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
  nearest_max_ = std::max(kKeptMin, n * kKeptPerWanted);
  part_.nearest.clear();
  part_.beyond = ~WalkKey{0};
  if (!view_.allowed) {
    pass_all(probe_, part_, first_, last_);
  } else if (!view_.shared || view_.allowed.allowed() < kSharedMin) {
    pass_allowed(probe_, part_, first_, last_);
  } else {
    pass_together();
  }
  cut(part_);
  complete_ = part_.beyond == ~WalkKey{0};
  next_ = part_.beyond;
  keep_nearest();
}

void FlatScan::pass_together() {
  if (second_part_ == nullptr) {
    second_probe_ = std::make_unique<Probe>(probe_);
    second_part_ = std::make_unique<Part>();
  }
  second_probe_->aim_as(probe_);
  Part& other = *second_part_;
  other.nearest.clear();
  other.beyond = ~WalkKey{0};
  share_pieces((last_ - first_ + kPieceSlots - 1) / kPieceSlots, [&](std::size_t piece, std::size_t worker) {
    const Slot first = first_ + static_cast<Slot>(piece * kPieceSlots);
    const Slot last = static_cast<Slot>(std::min<std::size_t>(last_, first + kPieceSlots));
    pass_allowed(worker == 0 ? probe_ : *second_probe_, worker == 0 ? part_ : other, first, last);
  });
  // What either has left to a later pass is left as a whole.
  part_.beyond = std::min(part_.beyond, other.beyond);
  part_.nearest.insert(part_.nearest.end(), other.nearest.begin(), other.nearest.end());
  std::erase_if(part_.nearest, [&](WalkKey key) { return key >= part_.beyond; });
}

void FlatScan::pass_all(Probe& probe, Part& part, Slot first, Slot last) const {
  for (Slot end = first; first < last; first = end) {
    end = std::min(chunk_end(first, last), static_cast<Slot>(first + Probe::kRowsMax));
    probe.scan(first, end, part.distances);
    for (Slot slot = first; slot < end; ++slot) part.slots[slot - first] = slot;
    offer(part, end - first);
  }
}

void FlatScan::pass_allowed(Probe& probe, Part& part, Slot first, Slot last) const {
  std::size_t n = 0;
  const auto measure = [&](std::size_t count) {
    probe.scan(part.slots, count, part.distances);
    offer(part, count);
    n -= count;
    std::copy(part.slots + count, part.slots + count + n, part.slots);
  };
  for_each_allowed(first, last, [&](Slot slot) {
    // Rows that lie scattered are measured some rows after they have been asked for, and meanwhile others are.
    probe.prefetch_row(slot);
    part.slots[n++] = slot;
    if (n == kRowsAhead + kRowsAtOnce) measure(kRowsAtOnce);
  });
  measure(n);
}

void FlatScan::offer(Part& part, std::size_t n) const {
  for (std::size_t i = 0; i < n; ++i) {
    const WalkKey key = walk_key(part.distances[i], part.slots[i]);
    if (key >= part.beyond || key < next_ || leaves_out(part.slots[i])) continue;
    part.nearest.push_back(key);
    // Half of the candidates are dropped at once, which costs less than keeping a heap.
    if (part.nearest.size() == 2 * nearest_max_) cut(part);
  }
}

void FlatScan::cut(Part& part) const {
  if (part.nearest.size() <= nearest_max_) return;
  const auto end = part.nearest.begin() + static_cast<std::ptrdiff_t>(nearest_max_);
  std::nth_element(part.nearest.begin(), end, part.nearest.end());
  part.beyond = *end;
  part.nearest.erase(end, part.nearest.end());
}

void FlatScan::keep_nearest() {
  const std::vector<WalkKey>& nearest = part_.nearest;
  for (std::size_t begin = 0; begin < nearest.size(); begin += Probe::kRowsMax) {
    const std::size_t n = std::min(Probe::kRowsMax, nearest.size() - begin);
    for (std::size_t i = 0; i < n; ++i) part_.slots[i] = slot_in(nearest[begin + i]);
    probe_.measure(part_.slots, n, part_.distances);
    for (std::size_t i = 0; i < n; ++i) kept_.push_back(walk_key(part_.distances[i], part_.slots[i]));
  }
  std::make_heap(kept_.begin(), kept_.end(), std::greater<>());
}

}  // namespace engram
