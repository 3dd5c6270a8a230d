#include "searcher.hpp"

#include <algorithm>

#include "cpu.hpp"
#include "flat_scan.hpp"

namespace engram {
namespace {

// A walk costs about this many scanned rows for each candidate it keeps. Below that a flat scan of the codes is both
// faster and more exact: in small spaces, and where a snapshot or a filter lets through little of a large one.
constexpr double kRowsPerCandidate = 100.0;
// Sign bits alone rank coarsely, so a scan keeps more candidates than a walk.
constexpr std::size_t kScanKeeps = 4;
constexpr double kWideningMax = 16.0;

}  // namespace

Searcher::Searcher(const Graph& graph) : graph_(graph), table_(graph.table()), probe_(graph) {}

const std::vector<Found>& Searcher::search(const float* query, std::size_t k, std::size_t ef, const View& view) {
  found_.clear();
  if (view.count == 0 || k == 0) return found_;
  ef = std::max(ef, k);
  probe_.aim(query);
  const double walk_rows = static_cast<double>(ef) * kRowsPerCandidate / std::max(view.visible_fraction, 1e-6);
  const bool flat = view.scan_rows() < walk_rows;
  walked_.reset(0);
  seen_.reset(0);
  scanned_.reset(ef * kScanKeeps);
  if (!flat) walk(ef, view);
  scan(flat ? 0 : view.linked, view.count, view);
  rank(k, view.sees_all() ? walked_ : seen_);
  return found_;
}

void Searcher::scan(Slot first, Slot last, const View& view) {
  const auto take = [&](Slot slot, std::uint32_t distance) { scanned_.offer(distance, slot); };
  if (view.allowed) {
    scan_seen(probe_, table_, view, first, last, take);
  } else {
    const auto wants = [&](std::uint32_t distance) { return !scanned_.refuses(distance); };
    scan_all(probe_, table_, view, first, last, wants, take);
  }
}

void Searcher::walk(std::size_t ef, const View& view) {
  const bool sees_all = view.sees_all();
  // Invisible nodes are walked through, not collected: the walk goes on until `ef` visible ones are found and nothing
  // nearer is left, so it widens by itself where many are invisible.
  const double widening = sees_all ? 1.0 : std::clamp(1.0 / std::max(view.visible_fraction, 1e-3), 2.0, kWideningMax);
  walked_.reset(static_cast<std::size_t>(static_cast<double>(ef) * widening));
  if (!sees_all) seen_.reset(ef);
  forget_visits();
  const EntryTable::Start start = graph_.entries().nearest(probe_.bits());
  meet(start.slots, start.count);
  take_fresh(view);
  for (Slot node = walked_.take_nearest(); node != kNoSlot; node = walked_.take_nearest()) {
    if (!sees_all && seen_.full() && walked_.distance_taken() > seen_.worst()) break;
    Slot neighbours[kDegreeLimit];
    meet(neighbours, graph_.neighbours(node, neighbours));
    for (std::size_t i = 0; i < fresh_count_; ++i) probe_.prefetch_row(fresh_[i]);
    if (const Slot next = walked_.peek(); next != kNoSlot) prefetch(table_.links(next), 3 * 64);
    take_fresh(view);
  }
}

void Searcher::meet(const Slot* slots, std::size_t n) {
  const std::size_t limit = visited_.size();
  fresh_count_ = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const Slot slot = slots[i];
    if (slot >= limit) continue;
    fresh_[fresh_count_] = slot;
    fresh_count_ += visited_[slot] == visit_mark_ ? 0 : 1;
    visited_[slot] = visit_mark_;
  }
}

void Searcher::take_fresh(const View& view) {
  std::uint32_t distances[kDegreeLimit];
  probe_.measure(fresh_, fresh_count_, distances);
  const bool sees_all = view.sees_all();
  for (std::size_t i = 0; i < fresh_count_; ++i) {
    const std::uint32_t distance = distances[i];
    if (walked_.refuses(distance)) continue;
    walked_.offer(distance, fresh_[i]);
    if (!sees_all && !seen_.refuses(distance) && view.sees(table_, fresh_[i])) seen_.offer(distance, fresh_[i]);
  }
}

void Searcher::rank(std::size_t k, const CandidatePool& walked) {
  ranked_.clear();
  for (const CandidatePool* pool : {&walked, static_cast<const CandidatePool*>(&scanned_)}) {
    for (std::size_t i = 0; i < pool->size(); ++i) ranked_.push_back({0.0F, pool->slot(i)});
  }
  // A vector that was being linked may have been met both in the graph and in the tail.
  std::sort(ranked_.begin(), ranked_.end());
  const auto same = [](const Candidate& a, const Candidate& b) { return a.link == b.link; };
  ranked_.erase(std::unique(ranked_.begin(), ranked_.end(), same), ranked_.end());
  probe_.rank(ranked_, k, found_);
}

void Searcher::forget_visits() {
  // Slots beyond today's capacity may show up in lists while we walk; the walk leaves them out.
  if (visited_.size() < table_.capacity()) visited_.resize(table_.capacity());
  if (++visit_mark_ != 0) return;
  std::fill(visited_.begin(), visited_.end(), std::uint8_t{0});
  visit_mark_ = 1;
}

}  // namespace engram
