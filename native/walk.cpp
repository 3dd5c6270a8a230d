#include "walk.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
namespace engram {
namespace {

// Walking distances are coarse, so this many candidates are ranked for each result.
constexpr std::size_t kRankedPerResult = 2;
constexpr std::size_t kExpectedMet = 1024;
// A walk costs as much as scanning so many rows, times the square root of the number of slots, for each candidate that
// it keeps: it meets nodes that lie far apart, and the larger the graph, the fewer of them are in the caches. (Measured
// with 20 000 to 1 000 000 vectors of 384.) A flat scan of fewer rows is faster, and more exact.
constexpr double kRowsPerCandidate = 0.6;

}  // namespace

Walk::Walk(const Graph& graph)
    : graph_(graph), table_(graph.table()), probe_(graph), tail_(table_, probe_), rest_(table_, probe_) {}

bool Walk::is_scan(const View& view, std::size_t ef) {
  const double candidates = static_cast<double>(ef) / std::max(view.visible_fraction, 1e-6);
  return view.scan_rows() <= candidates * kRowsPerCandidate * std::sqrt(view.count);
}

void Walk::begin(const float* query, const View& view) {
  view_ = view;
  // In an empty index the codec has not learned its centre yet, and there is nothing to search.
  if (view.count > 0) probe_.aim(query);
  entered_ = false;
  all_met_ = false;
  rows_met_ = 0;
  frontier_.clear();
  near_.clear();
  far_.clear();
  rest_.begin(view, 0, 0);
}

const std::vector<Found>& Walk::next(std::size_t count, std::size_t ef) {
  found_.clear();
  damaged_.clear();
  if (view_.count == 0) return found_;
  // An empty result means that there are no more results, so it must not be returned because of damage alone.
  for (std::size_t damaged = 0; found_.empty(); damaged = damaged_.size()) {
    refill(std::max(ef, count * kRankedPerResult));
    advance();
    give(count);
    if (damaged_.size() == damaged) break;
  }
  return found_;
}

void Walk::advance() {
  // Lists may get slots beyond the present capacity during the walk; the walk ignores them.
  limit_ = static_cast<Slot>(table_.capacity());
  if (!entered_) enter();
  while (!settled()) {
    // An empty frontier means that the walk is on an island, for instance one of equal vectors. There may be more
    // elsewhere.
    if (frontier_.empty() || static_cast<double>(rows_met_) > view_.scan_rows()) {
      scan_the_rest();
      break;
    }
    std::pop_heap(frontier_.begin(), frontier_.end(), std::greater<>());
    const Slot node = slot_in(frontier_.back());
    frontier_.pop_back();
    expand(node);
  }
}

void Walk::enter() {
  entered_ = true;
  met_.reset(kExpectedMet);
  all_met_ = is_scan(view_, beam_);
  tail_.begin(view_, all_met_ ? 0 : view_.linked, view_.count);
  if (all_met_) return;
  const EntryTable::Start start = graph_.entries().nearest(probe_.entry_row());
  take(start.slots, start.count);
}

bool Walk::settled() const {
  if (all_met_) return true;
  return near_.size() >= beam_ && (frontier_.empty() || frontier_.front() >= near_.front());
}

void Walk::scan_the_rest() {
  rest_.begin(view_, 0, view_.linked, &met_);
  frontier_.clear();
  all_met_ = true;
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
  rows_met_ += count;
  for (std::size_t i = 0; i < count; ++i) {
    const WalkKey met = walk_key(distances[i], fresh[i]);
    frontier_.push_back(met);
    std::push_heap(frontier_.begin(), frontier_.end(), std::greater<>());
    // A node that was linked after the walk began is walked through but not collected: it was scanned with the tail, or
    // is too new.
    if (fresh[i] < view_.linked && (!view_.hides() || view_.sees(table_, fresh[i]))) collect(met);
  }
}

void Walk::collect(WalkKey candidate) {
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
  // After a call with a larger beam, more candidates are at hand than needed, which does no harm.
  beam_ = beam;
  while (near_.size() < beam_ && !far_.empty()) {
    std::pop_heap(far_.begin(), far_.end(), std::greater<>());
    near_.push_back(far_.back());
    far_.pop_back();
    std::push_heap(near_.begin(), near_.end());
  }
}

void Walk::give(std::size_t count) {
  candidates_.assign(near_.begin(), near_.end());
  tail_.take(beam_, candidates_);
  const std::size_t of_tail = candidates_.size();
  rest_.take(beam_, candidates_);
  ranked_.clear();
  for (const WalkKey candidate : candidates_) ranked_.push_back({0.0F, slot_in(candidate)});
  probe_.rank(ranked_, count, found_, damaged_);
  given_.assign(damaged_.begin(), damaged_.end());
  for (const Found& found : found_) given_.push_back(found.slot);
  std::sort(given_.begin(), given_.end());
  const auto given = [&](WalkKey key) { return std::binary_search(given_.begin(), given_.end(), slot_in(key)); };
  for (std::size_t i = near_.size(); i < candidates_.size(); ++i) {
    if (!given(candidates_[i])) (i < of_tail ? tail_ : rest_).give_back(candidates_[i]);
  }
  near_.erase(std::remove_if(near_.begin(), near_.end(), given), near_.end());
  std::make_heap(near_.begin(), near_.end());
}

}  // namespace engram
