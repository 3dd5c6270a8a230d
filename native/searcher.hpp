// Search: one query against the graph, the tail and the raw vectors, at one snapshot.
//
// Three stages, each more exact and on fewer vectors: a walk through the graph by 1-bit estimates (byte codes in low
// dimensions) together with a flat scan of what is not linked yet; ranking of all found by byte codes; ranking of the
// best by the raw vectors.
#pragma once

#include <cstdint>
#include <vector>

#include "candidate_pool.hpp"
#include "graph.hpp"
#include "probe.hpp"
#include "types.hpp"
#include "view.hpp"

namespace engram {

// One thread's search engine; keep it from query to query, as it owns the scratch memory.
class Searcher {
 public:
  explicit Searcher(const Graph& graph);

  // The `k` best visible vectors, best first; `ef` bounds the candidates kept on the way.
  const std::vector<Found>& search(const float* query, std::size_t k, std::size_t ef, const View& view);

 private:
  void scan(Slot first, Slot last, const View& view);
  void walk(std::size_t ef, const View& view);
  // Keeps those of `slots` in fresh_ that the walk has not met before.
  void meet(const Slot* slots, std::size_t n);
  void take_fresh(const View& view);
  void rank(std::size_t k, const CandidatePool& walked);
  void forget_visits();

  const Graph& graph_;
  const SlotTable& table_;
  Probe probe_;
  CandidatePool walked_;   // Every node the walk keeps, visible or not.
  CandidatePool seen_;     // The visible ones, where that makes a difference.
  CandidatePool scanned_;  // The best of the flat scan.
  std::vector<std::uint8_t> visited_;
  std::uint8_t visit_mark_ = 0;
  std::size_t fresh_count_ = 0;
  Slot fresh_[kDegreeLimit];
  std::vector<Candidate> ranked_;
  std::vector<Found> found_;
};

}  // namespace engram
