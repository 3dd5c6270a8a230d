// Search: one query against the graph, the tail and the raw vectors, at one snapshot.
//
// A search has three stages, each more exact and on fewer vectors: a walk through the graph by 1-bit estimates (byte
// codes in low dimensions) together with a flat scan of the tail; ranking of all candidates by byte codes; ranking of
// the best candidates by raw vectors. The walk here looks at nodes alike, hidden or not, which allows a very short
// inner loop. Where a part is hidden, it keeps so many more candidates that enough of them are visible, as far as
// hidden nodes are everywhere alike. If they are not, or if most nodes are hidden, the search is the first step of a
// `Walk` instead.
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

// Up to this many vectors are all compared with the query by their raw numbers, which is exact and costs no more than a
// walk.
inline constexpr std::size_t kExactMax = 500;

// The search engine of one thread. Keep it from query to query, because it owns the scratch memory.
class Searcher {
 public:
  explicit Searcher(const Graph& graph);

  // Returns the `k` best visible vectors, best first. `ef` bounds the candidates kept on the way.
  const std::vector<Found>& search(const float* query, std::size_t k, std::size_t ef, const View& view);
  // The candidates that the last search left out because their raw vectors are damaged.
  const std::vector<Slot>& damaged() const { return damaged_; }

 private:
  // Searches with a `Walk`, which also works if slots are hidden or the graph has islands, at a higher cost.
  const std::vector<Found>& search_on(const float* query, std::size_t k, std::size_t ef, const View& view);
  // Searches as `search` does, where slots are hidden.
  const std::vector<Found>& search_hidden(const float* query, std::size_t k, std::size_t ef, const View& view);
  // Compares all that the allow-list lets through, which is little.
  const std::vector<Found>& search_few(const float* query, std::size_t k, const View& view);
  // Walks through the slots below `count`, and keeps the nearest `ef`.
  void walk(std::size_t ef, Slot count);
  // Stores those of `slots` that the walk has not met before in fresh_.
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
  Slot limit_ = 0;  // Slots from this one on are ignored.
  std::vector<std::uint8_t> visited_;
  std::uint8_t visit_mark_ = 0;
  std::size_t fresh_count_ = 0;
  Slot fresh_[kDegreeLimit];
  std::vector<Candidate> ranked_;
  std::vector<Found> found_;
  std::vector<Slot> damaged_;
};

}  // namespace engram
