// Search: one query against the graph, the tail and the raw vectors, at one snapshot.
//
// Three stages, each more exact and on fewer vectors: a walk through the graph by 1-bit estimates (byte codes in low
// dimensions) together with a flat scan of what is not linked yet; ranking of all found by byte codes; ranking of the
// best by the raw vectors. Here the walk sees the whole graph, which allows the leanest of loops; where something is
// hidden, it is the first step of a `Walk`.
#pragma once

#include <cstdint>
#include <vector>

#include "candidate_pool.hpp"
#include "flat_scan.hpp"
#include "graph.hpp"
#include "probe.hpp"
#include "types.hpp"
#include "view.hpp"
#include "walk.hpp"

namespace engram {

// One thread's search engine; keep it from query to query, as it owns the scratch memory.
class Searcher {
 public:
  explicit Searcher(const Graph& graph);

  // The `k` best visible vectors, best first; `ef` bounds the candidates kept on the way.
  const std::vector<Found>& search(const float* query, std::size_t k, std::size_t ef, const View& view);
  // What the last search would have weighed, but for a damaged raw vector.
  const std::vector<Slot>& damaged() const { return damaged_; }

 private:
  // The search that nothing hides from, at a higher price.
  const std::vector<Found>& search_on(const float* query, std::size_t k, std::size_t ef, const View& view);
  void walk(std::size_t ef, Slot count);
  // Keeps those of `slots` in fresh_ that the walk has not met before.
  void meet(const Slot* slots, std::size_t n);
  void take_fresh();
  void rank(std::size_t k);
  void forget_visits();

  const Graph& graph_;
  const SlotTable& table_;
  Probe probe_;
  Walk filtered_;
  CandidatePool walked_;
  FlatScan scan_;
  std::vector<WalkKey> scanned_;
  Slot limit_ = 0;  // Slots from here on are not met.
  std::vector<std::uint8_t> visited_;
  std::uint8_t visit_mark_ = 0;
  std::size_t fresh_count_ = 0;
  Slot fresh_[kDegreeLimit];
  std::vector<Candidate> ranked_;
  std::vector<Found> found_;
  std::vector<Slot> damaged_;
};

}  // namespace engram
