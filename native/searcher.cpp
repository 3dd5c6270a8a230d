#include "searcher.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu.hpp"

namespace engram {
namespace {

// A walk costs about this many scanned rows for each candidate it keeps. Below that a flat scan of the codes is both
// faster and more exact: in small spaces, and where a snapshot sees little of a large one.
constexpr double kRowsPerCandidate = 100.0;
// Sign bits alone rank coarsely, so a scan keeps more candidates than a walk.
constexpr std::size_t kScanKeeps = 4;
// Byte codes are exact enough that few more than k need the raw vectors, each of which may cost a disk page.
constexpr std::size_t kRerankMin = 16;

}  // namespace

Searcher::Searcher(const Graph& graph) : graph_(graph), table_(graph.table()), by_bits_(graph.codec().bits_steer()) {}

const std::vector<Found>& Searcher::search(const float* query, std::size_t k, std::size_t ef, const View& view) {
  found_.clear();
  if (view.count == 0 || k == 0) return found_;
  ef = std::max(ef, k);
  graph_.codec().encode_query(query, query_);
  const double walk_rows = static_cast<double>(ef) * kRowsPerCandidate / std::max(view.visible_fraction, 1e-6);
  const bool flat = view.count < walk_rows;
  walked_.reset(0);
  seen_.reset(0);
  scanned_.reset(ef * kScanKeeps);
  if (!flat) walk(ef, view);
  scan(flat ? 0 : view.linked, view.count, view);
  rank(query, k, view.sees_all() ? walked_ : seen_);
  return found_;
}

bool Searcher::visible(Slot slot, const View& view) const {
  if (view.snapshot != kNever && table_.born(slot).load(std::memory_order_acquire) > view.snapshot) return false;
  if (!view.deletions) return true;
  const Generation died = table_.died(slot).load(std::memory_order_acquire);
  return died == 0 || died > view.snapshot;
}

void Searcher::scan(Slot first, Slot last, const View& view) {
  const Kernels& k = kernels();
  const Codec& codec = graph_.codec();
  std::uint32_t distances[kScanStep];
  while (first < last) {
    // A run of rows never crosses a chunk, where the memory is contiguous.
    const Slot chunk_end = static_cast<Slot>((first | (SlotTable::kChunkSlots - 1)) + 1);
    const Slot end = std::min({last, chunk_end, static_cast<Slot>(first + kScanStep)});
    if (by_bits_ && !graph_.geometry().uses_norms()) {
      k.hamming_block(query_.bits.data(), table_.bits(first), table_.bit_stride(), end - first, codec.bit_bytes(),
                      distances);
      for (Slot slot = first; slot < end; ++slot) {
        const std::uint32_t distance = distances[slot - first];
        if (!scanned_.refuses(distance) && visible(slot, view)) scanned_.offer(distance, slot);
      }
      first = end;
      continue;
    }
    const Slot step_end = std::min(end, static_cast<Slot>(first + kDegreeLimit));
    fresh_count_ = 0;
    for (Slot slot = first; slot < step_end; ++slot) {
      fresh_[fresh_count_] = slot;
      fresh_rows_[fresh_count_++] = walk_row(slot);
    }
    measure_fresh();
    for (std::size_t i = 0; i < fresh_count_; ++i) {
      if (!scanned_.refuses(fresh_distances_[i]) && visible(fresh_[i], view)) {
        scanned_.offer(fresh_distances_[i], fresh_[i]);
      }
    }
    first = step_end;
  }
}

void Searcher::walk(std::size_t ef, const View& view) {
  const bool sees_all = view.sees_all();
  // Invisible nodes are walked through, not collected: the walk goes on until `ef` visible ones are found and nothing
  // nearer is left, so it widens by itself where many are invisible.
  const double widening = sees_all ? 1.0 : std::clamp(1.0 / std::max(view.visible_fraction, 1e-3), 2.0, 16.0);
  walked_.reset(static_cast<std::size_t>(static_cast<double>(ef) * widening));
  if (!sees_all) seen_.reset(ef);
  forget_visits();
  enter();
  const auto take = [&] {
    for (std::size_t i = 0; i < fresh_count_; ++i) {
      const std::uint32_t distance = fresh_distances_[i];
      if (walked_.refuses(distance)) continue;
      walked_.offer(distance, fresh_[i]);
      if (!sees_all && !seen_.refuses(distance) && visible(fresh_[i], view)) seen_.offer(distance, fresh_[i]);
    }
  };
  take();
  for (Slot node = walked_.take_nearest(); node != kNoSlot; node = walked_.take_nearest()) {
    if (!sees_all && seen_.full() && walked_.distance_taken() > seen_.worst()) break;
    gather_fresh(node);
    if (const Slot next = walked_.peek(); next != kNoSlot) prefetch(table_.links(next), 3 * 64);
    measure_fresh();
    take();
  }
}

void Searcher::enter() {
  Slot entries[EntryTable::kNearest];
  const std::size_t n = graph_.entries().nearest(query_.bits.data(), entries);
  meet(entries, n);
  measure_fresh();
}

void Searcher::gather_fresh(Slot node) {
  Slot neighbours[kDegreeLimit];
  const std::size_t count = graph_.neighbours(node, neighbours);
  meet(neighbours, count);
  const std::size_t row_bytes = by_bits_ ? graph_.codec().bit_row_bytes() : table_.code_stride();
  for (std::size_t i = 0; i < fresh_count_; ++i) prefetch(fresh_rows_[i], row_bytes);
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
  for (std::size_t i = 0; i < fresh_count_; ++i) fresh_rows_[i] = walk_row(fresh_[i]);
}

void Searcher::measure_fresh() {
  const Kernels& k = kernels();
  const Codec& codec = graph_.codec();
  const Geometry& geometry = graph_.geometry();
  std::int32_t sums[kDegreeLimit];
  if (by_bits_) {
    k.plane_rows(query_.planes.data(), fresh_rows_, fresh_count_, codec.bit_bytes(), sums);
  } else {
    k.dot_rows(query_.codes.data(), query_.code_sum, fresh_rows_, fresh_count_, codec.code_dim(), sums);
  }
  for (std::size_t i = 0; i < fresh_count_; ++i) {
    float cosine = static_cast<float>(sums[i]) / codec.code_unit();
    float norm = 1.0F;
    if (by_bits_ || geometry.uses_norms()) {
      const BitRowTail tail = codec.tail(table_.bits(fresh_[i]));
      norm = tail.norm;
      if (by_bits_) {
        cosine = query_.plane_step * (static_cast<float>(sums[i]) - query_.plane_offset) * tail.inverse_l1;
      }
    }
    fresh_distances_[i] = ordered_bits(geometry.query_distance(cosine, query_.norm, norm));
  }
}

void Searcher::rank(const float* query, std::size_t k, const CandidatePool& walked) {
  ranked_.clear();
  for (const CandidatePool* pool : {&walked, static_cast<const CandidatePool*>(&scanned_)}) {
    for (std::size_t i = 0; i < pool->size(); ++i) ranked_.push_back({0.0F, pool->slot(i)});
  }
  // A vector that was being linked may have been met both in the graph and in the tail.
  std::sort(ranked_.begin(), ranked_.end());
  const auto same = [](const Candidate& a, const Candidate& b) { return a.link == b.link; };
  ranked_.erase(std::unique(ranked_.begin(), ranked_.end(), same), ranked_.end());
  rank_by_codes(std::max(kRerankMin, k + k / 2));
  const float query_norm = std::sqrt(kernels().squared_norm(query, graph_.codec().dim()));
  for (const Candidate& candidate : ranked_)
    found_.push_back({score(query, query_norm, candidate.link), candidate.link});
  k = std::min(k, found_.size());
  const auto better = [](const Found& a, const Found& b) {
    return a.score != b.score ? a.score > b.score : a.slot < b.slot;
  };
  std::partial_sort(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(k), found_.end(), better);
  found_.resize(k);
}

void Searcher::rank_by_codes(std::size_t keep) {
  if (ranked_.size() <= keep) return;
  const Codec& codec = graph_.codec();
  const Geometry& geometry = graph_.geometry();
  const std::size_t n = ranked_.size();
  rows_.resize(n);
  dots_.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    rows_[i] = table_.codes(ranked_[i].link);
    prefetch(rows_[i], table_.code_stride());
  }
  kernels().dot_rows(query_.codes.data(), query_.code_sum, rows_.data(), n, codec.code_dim(), dots_.data());
  for (std::size_t i = 0; i < n; ++i) {
    const float norm = geometry.uses_norms() ? codec.tail(table_.bits(ranked_[i].link)).norm : 1.0F;
    const float cosine = static_cast<float>(dots_[i]) / codec.code_unit();
    ranked_[i].distance = geometry.query_distance(cosine, query_.norm, norm);
  }
  std::nth_element(ranked_.begin(), ranked_.begin() + static_cast<std::ptrdiff_t>(keep), ranked_.end());
  ranked_.resize(keep);
}

float Searcher::score(const float* query, float query_norm, Slot slot) const {
  const Kernels& k = kernels();
  const std::size_t dim = graph_.codec().dim();
  const float* raw = table_.raw(slot).load(std::memory_order_acquire);
  switch (graph_.geometry().metric()) {
    case Metric::kCosine: {
      const float norms = query_norm * std::sqrt(k.squared_norm(raw, dim));
      return norms > 0.0F ? k.dot_f32(query, raw, dim) / norms : 0.0F;
    }
    case Metric::kInnerProduct:
      return k.dot_f32(query, raw, dim);
    case Metric::kL2:
      return -k.l2_f32(query, raw, dim);
  }
  return 0.0F;
}

void Searcher::forget_visits() {
  // Slots beyond today's capacity may show up in lists while we walk; the walk leaves them out.
  if (visited_.size() < table_.capacity()) visited_.resize(table_.capacity());
  if (++visit_mark_ != 0) return;
  std::fill(visited_.begin(), visited_.end(), std::uint8_t{0});
  visit_mark_ = 1;
}

}  // namespace engram
