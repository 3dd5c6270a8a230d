// Search: one query against the graph, the tail and the raw vectors, at one snapshot.
//
// Three stages, each more exact and on fewer vectors: a walk through the graph by 1-bit estimates (byte codes in low
// dimensions) together with a flat scan of what is not linked yet; ranking of all found by byte codes; ranking of the
// best by the raw float32 vectors.
#pragma once

#include <cstdint>
#include <vector>

#include "candidate_pool.hpp"
#include "graph.hpp"
#include "types.hpp"

namespace engram {

// What one search may see, fixed before it begins.
struct View {
  Slot count = 0;                 // Only slots [0, count) can be visible.
  Slot linked = 0;                // Slots [0, linked) are in the graph; the rest is scanned.
  Generation snapshot = kNever;   // Versions up to this generation; kNever: everything below `count`.
  bool deletions = false;         // Whether any version has died.
  double visible_fraction = 1.0;  // Share of the graph's nodes that can be seen, roughly.

  bool sees_all() const { return snapshot == kNever && !deletions; }
};

struct Found {
  float score;
  Slot slot;
};

// One thread's search engine; keep it from query to query, as it owns the scratch memory.
class Searcher {
 public:
  explicit Searcher(const Graph& graph);

  // The `k` best visible vectors, best first; `ef` bounds the candidates kept on the way.
  const std::vector<Found>& search(const float* query, std::size_t k, std::size_t ef, const View& view);

 private:
  static constexpr std::size_t kScanStep = 256;

  void scan(Slot first, Slot last, const View& view);
  void walk(std::size_t ef, const View& view);
  void enter();
  void gather_fresh(Slot node);
  void measure_fresh();
  void rank(const float* query, std::size_t k, const CandidatePool& walked);
  void rank_by_codes(std::size_t keep);
  float score(const float* query, float query_norm, Slot slot) const;

  bool visible(Slot slot, const View& view) const;
  // Keeps those of `slots` in fresh_ that the walk has not met before.
  void meet(const Slot* slots, std::size_t n);
  void forget_visits();
  const std::uint8_t* walk_row(Slot slot) const { return by_bits_ ? table_.bits(slot) : table_.codes(slot); }

  const Graph& graph_;
  const SlotTable& table_;
  const bool by_bits_;
  QueryCode query_;
  CandidatePool walked_;   // Every node the walk keeps, visible or not.
  CandidatePool seen_;     // The visible ones, where that makes a difference.
  CandidatePool scanned_;  // The best of the flat scan.
  std::vector<std::uint8_t> visited_;
  std::uint8_t visit_mark_ = 0;
  std::size_t fresh_count_ = 0;
  Slot fresh_[kDegreeLimit];
  const std::uint8_t* fresh_rows_[kDegreeLimit];
  std::uint32_t fresh_distances_[kDegreeLimit];
  std::vector<Candidate> ranked_;
  std::vector<const std::uint8_t*> rows_;
  std::vector<std::int32_t> dots_;
  std::vector<Found> found_;
};

}  // namespace engram
