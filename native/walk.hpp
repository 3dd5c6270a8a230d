// A search over what a view lets through that can be continued: each call gives the next best results, none of them
// twice, out of one walk.
//
// Best-first search over the graph keeps a frontier of nodes that were met but not expanded; what the view hides is
// walked through, not collected. A call expands the frontier until nothing in it is nearer than the candidates at hand,
// ranks those by byte codes and raw vectors, and gives the best; the rest stays at hand for the next call. What the
// view sees of the tail is scanned. A walk that has met more rows than a flat scan would have
// to measure - nearly everything around is hidden, or a great many results are taken - ends with that scan, so the cost
// of a walk is bounded and nothing visible is ever missed for want of a path. Memory grows with the nodes met, about 20
// bytes each.
#pragma once

#include <cstdint>
#include <vector>

#include "flat_scan.hpp"
#include "graph.hpp"
#include "probe.hpp"
#include "types.hpp"
#include "view.hpp"
#include "visited_set.hpp"
#include "walk_key.hpp"

namespace engram {

class Walk {
 public:
  explicit Walk(const Graph& graph);

  // Starts anew. The words of the view's allow-list must stay where they are as long as the walk goes on.
  void begin(const float* query, const View& view);
  // Up to `count` results that were not given before, best first; none when there are no more. At least `ef` candidates
  // are weighed against one another.
  const std::vector<Found>& next(std::size_t count, std::size_t ef);
  // What the last call would have weighed, but for a damaged raw vector; no later call meets it again.
  const std::vector<Slot>& damaged() const { return damaged_; }

 private:
  void advance();
  void enter();
  // Whether nothing nearer than the candidates at hand is to be expected.
  bool settled() const;
  void expand(Slot node);
  void take(const Slot* slots, std::size_t n);
  // Measures all that is visible and was not met yet; there is no frontier any more.
  void scan_the_rest();
  void collect(WalkKey candidate);
  void refill(std::size_t beam);
  void give(std::size_t count);

  const Graph& graph_;
  const SlotTable& table_;
  Probe probe_;
  View view_;
  bool entered_ = false;
  bool all_met_ = false;
  std::size_t beam_ = 0;
  std::size_t rows_met_ = 0;
  Slot limit_ = 0;
  VisitedSet met_;
  std::vector<WalkKey> frontier_;  // Min-heap: met, not expanded.
  std::vector<WalkKey>
      near_;  // Max-heap: the nearest met in the graph and not given yet, at least `beam_` if there are.
  std::vector<WalkKey> far_;  // Min-heap: the others met in the graph.
  // What is scanned is kept apart, or a tail with many near vectors would end the walk before it came near in the
  // graph.
  FlatScan tail_;
  FlatScan rest_;
  std::vector<WalkKey> weighed_;
  std::vector<Candidate> ranked_;
  std::vector<Found> found_;
  std::vector<Slot> damaged_;
  std::vector<Slot> given_;  // And what was found damaged, sorted.
};

}  // namespace engram
