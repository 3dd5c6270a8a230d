#include "walk.hpp"

#include <algorithm>
#include <functional>

#include "flat_scan.hpp"

namespace engram {
namespace {

// Walking distances are coarse, so this many candidates are ranked for each result that is given.
constexpr std::size_t kRankedPerResult = 4;
constexpr std::size_t kExpectedMet = 1024;
// Up to here everything is measured at once: as fast as a walk of some length, and nothing can be missed.
constexpr double kFlatRowsMax = 20'000.0;
// Where a snapshot or a filter lets little through, a walk meets about this many rows over the visible fraction before
// it has its first results.
constexpr double kFirstRows = 6'400.0;

bool flat_is_cheaper(const View& view) {
  return view.scan_rows() <= std::max(kFlatRowsMax, kFirstRows / std::max(view.visible_fraction, 1e-6));
}

}  // namespace

Walk::Walk(const Graph& graph, const float* query, const View& view)
    : graph_(graph), table_(graph.table()), view_(view), probe_(graph), flat_(flat_is_cheaper(view)) {
  probe_.aim(query);
}

const std::vector<Found>& Walk::next(std::size_t count, std::size_t ef) {
  refill(std::max(ef, count * kRankedPerResult));
  // Slots beyond today's capacity may show up in lists while we walk; the walk leaves them out.
  limit_ = static_cast<Slot>(table_.capacity());
  if (!entered_) enter();
  while (!frontier_.empty()) {
    if (near_.size() >= beam_ && frontier_.front() >= near_.front()) break;
    std::pop_heap(frontier_.begin(), frontier_.end(), std::greater<>());
    const Slot node = slot_in(frontier_.back());
    frontier_.pop_back();
    expand(node);
  }
  give(count);
  return found_;
}

void Walk::enter() {
  entered_ = true;
  met_.reset(kExpectedMet);
  scan_seen(probe_, table_, view_, flat_ ? 0 : view_.linked, view_.count,
            [&](Slot slot, std::uint32_t distance) { collect(key(distance, slot)); });
  if (flat_) return;
  const EntryTable::Start start = graph_.entries().nearest(probe_.bits());
  take(start.slots, start.count);
}

void Walk::expand(Slot node) {
  Slot neighbours[kDegreeLimit];
  take(neighbours, graph_.neighbours(node, neighbours));
}

void Walk::take(const Slot* slots, std::size_t n) {
  Slot fresh[kDegreeLimit];
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (slots[i] < limit_ && met_.insert(slots[i])) fresh[count++] = slots[i];
  }
  for (std::size_t i = 0; i < count; ++i) probe_.prefetch_row(fresh[i]);
  std::uint32_t distances[kDegreeLimit];
  probe_.measure(fresh, count, distances);
  const bool sees_all = view_.sees_all();
  for (std::size_t i = 0; i < count; ++i) {
    const Key met = key(distances[i], fresh[i]);
    frontier_.push_back(met);
    std::push_heap(frontier_.begin(), frontier_.end(), std::greater<>());
    // What was linked after the walk began is walked through: it has been measured with the tail, or is too new.
    if (fresh[i] < view_.linked && (sees_all || view_.sees(table_, fresh[i]))) collect(met);
  }
}

void Walk::collect(Key candidate) {
  if (near_.size() < beam_) {
    near_.push_back(candidate);
    std::push_heap(near_.begin(), near_.end());
    return;
  }
  if (candidate < near_.front()) {
    std::pop_heap(near_.begin(), near_.end());
    std::swap(candidate, near_.back());
    std::push_heap(near_.begin(), near_.end());
  }
  far_.push_back(candidate);
  std::push_heap(far_.begin(), far_.end(), std::greater<>());
}

void Walk::refill(std::size_t beam) {
  // A smaller beam than before leaves more at hand than it needs, which does no harm.
  beam_ = beam;
  while (near_.size() < beam_ && !far_.empty()) {
    std::pop_heap(far_.begin(), far_.end(), std::greater<>());
    near_.push_back(far_.back());
    far_.pop_back();
    std::push_heap(near_.begin(), near_.end());
  }
}

void Walk::give(std::size_t count) {
  ranked_.clear();
  for (const Key candidate : near_) ranked_.push_back({0.0F, slot_in(candidate)});
  probe_.rank(ranked_, count, found_);
  given_.clear();
  for (const Found& found : found_) given_.push_back(found.slot);
  std::sort(given_.begin(), given_.end());
  const auto given = [&](Key key) { return std::binary_search(given_.begin(), given_.end(), slot_in(key)); };
  near_.erase(std::remove_if(near_.begin(), near_.end(), given), near_.end());
  std::make_heap(near_.begin(), near_.end());
}

}  // namespace engram
