#include "searcher.hpp"

#include <algorithm>

#include "cpu.hpp"

namespace engram {
namespace {

// A walk costs as much as scanning about this many rows for each candidate that it keeps. A flat scan of fewer rows is
// both faster and more exact.
constexpr std::size_t kRowsPerCandidate = 100;
// The most candidates, visible or hidden, that a walk here keeps: it inserts each in its place among the others.
constexpr double kPoolMax = 4096;

}  // namespace

Searcher::Searcher(const Graph& graph)
    : graph_(graph), table_(graph.table()), probe_(graph), filtered_(graph), scan_(table_, probe_) {}

const std::vector<Found>& Searcher::search(const float* query, std::size_t k, std::size_t ef, const View& view) {
  found_.clear();
  damaged_.clear();
  if (view.count == 0 || k == 0) return found_;
  ef = std::max(ef, k);
  if (view.hides() || !view.whole_graph) return search_hidden(query, k, ef, view);
  probe_.aim(query);
  walked_.reset(0);
  const bool flat = view.count < ef * kRowsPerCandidate;
  if (!flat) walk(ef, view.count);
  // A walk may end early on an island of the graph, for instance one of equal vectors.
  if (!flat && walked_.size() < std::min<std::size_t>(k, view.linked)) return search_on(query, k, ef, view);
  scan_.begin(view, flat ? 0 : view.linked, view.count);
  scanned_.clear();
  scan_.take(ef, scanned_);
  rank(k);
  return found_;
}

const std::vector<Found>& Searcher::search_hidden(const float* query, std::size_t k, std::size_t ef, const View& view) {
  if (view.allowed && view.allowed.allowed() <= kExactMax) return search_few(query, k, view);
  const double pool = static_cast<double>(ef) / std::max(view.visible_fraction, 1e-6);
  if (pool > kPoolMax || Walk::is_scan(view, ef)) return search_on(query, k, ef, view);
  probe_.aim(query);
  walk(static_cast<std::size_t>(pool), static_cast<Slot>(table_.capacity()));
  // A node that was linked after the view was made is walked through but not kept: it is scanned with the tail, or is
  // too new.
  walked_.keep(ef, [&](Slot slot) { return slot < view.linked && view.sees(table_, slot); });
  // Around the query, more is hidden than elsewhere, or the walk ended early on an island.
  if (walked_.size() * 2 < ef || walked_.size() < k) return search_on(query, k, ef, view);
  scan_.begin(view, view.linked, view.count);
  scanned_.clear();
  scan_.take(ef, scanned_);
  rank(k);
  return found_;
}

const std::vector<Found>& Searcher::search_few(const float* query, std::size_t k, const View& view) {
  probe_.aim(query);
  scan_.begin(view, 0, view.count);
  ranked_.clear();
  scan_.take_allowed(ranked_);
  probe_.rank_exactly(ranked_, k, found_, damaged_);
  return found_;
}

const std::vector<Found>& Searcher::search_on(const float* query, std::size_t k, std::size_t ef, const View& view) {
  filtered_.begin(query, view);
  const std::vector<Found>& found = filtered_.next(k, ef);
  damaged_ = filtered_.damaged();
  return found;
}

void Searcher::walk(std::size_t ef, Slot count) {
  walked_.reset(ef);
  forget_visits();
  // Slots that were published after the view was made may be linked by now. The walk ignores them.
  limit_ = std::min(count, static_cast<Slot>(visited_.size()));
  const EntryTable::Start start = graph_.entries().nearest(probe_.entry_row());
  meet(start.slots, start.count);
  take_fresh();
  for (Slot node = walked_.take_nearest(); node != kNoSlot; node = walked_.take_nearest()) {
    Slot neighbours[kDegreeLimit];
    meet(neighbours, graph_.neighbours(node, neighbours));
    for (std::size_t i = 0; i < fresh_count_; ++i) probe_.prefetch_row(fresh_[i]);
    if (const Slot next = walked_.peek(); next != kNoSlot) prefetch(table_.links(next), 192);
    take_fresh();
  }
}

void Searcher::meet(const Slot* slots, std::size_t n) {
  fresh_count_ = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const Slot slot = slots[i];
    if (slot >= limit_) continue;
    fresh_[fresh_count_] = slot;
    fresh_count_ += visited_[slot] == visit_mark_ ? 0 : 1;
    visited_[slot] = visit_mark_;
  }
}

void Searcher::take_fresh() {
  std::uint32_t distances[kDegreeLimit];
  probe_.measure(fresh_, fresh_count_, distances);
  for (std::size_t i = 0; i < fresh_count_; ++i) walked_.offer(distances[i], fresh_[i]);
}

void Searcher::rank(std::size_t k) {
  ranked_.clear();
  for (std::size_t i = 0; i < walked_.size(); ++i) ranked_.push_back({0.0F, walked_.slot(i)});
  for (const WalkKey key : scanned_) ranked_.push_back({0.0F, slot_in(key)});
  // A vector that was linked during the search may have been met both in the graph and in the tail.
  std::sort(ranked_.begin(), ranked_.end());
  const auto same = [](const Candidate& a, const Candidate& b) { return a.link == b.link; };
  ranked_.erase(std::unique(ranked_.begin(), ranked_.end(), same), ranked_.end());
  probe_.rank(ranked_, k, found_, damaged_);
}

void Searcher::forget_visits() {
  // Lists may get slots beyond the present capacity during the walk; the walk ignores them.
  if (visited_.size() < table_.capacity()) visited_.resize(table_.capacity());
  if (++visit_mark_ != 0) return;
  std::fill(visited_.begin(), visited_.end(), std::uint8_t{0});
  visit_mark_ = 1;
}

}  // namespace engram
