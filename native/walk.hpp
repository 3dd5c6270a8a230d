// A search over the slots that a view lets through, which can be continued: each call returns the next best results of
// one walk, and no result twice.
//
// A best-first search over the graph keeps a frontier of nodes that were met but not expanded. Hidden nodes are walked
// through but not collected. A call expands the frontier until no node in it is nearer than the candidates at hand,
// ranks the candidates by byte codes and raw vectors, and returns the best. The others stay at hand for the next call.
// The visible part of the tail is scanned. A walk that has met more rows than a flat scan would have to measure,
// because nearly everything around is hidden or because very many results are taken, ends with that scan. So the cost
// of a walk is bounded, and no visible slot is missed for lack of a path. Memory grows with the nodes met, by about 20
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

  // Whether a walk that selects from `ef` candidates scans everything that is visible, because that costs less.
  static bool is_scan(const View& view, std::size_t ef);

  // Starts a new walk. The words of the view's allow-list must stay in place and unchanged as long as the walk goes on.
  void begin(const float* query, const View& view);
  // Returns up to `count` results that were not returned before, best first; none when there are no more. The results
  // are selected from at least `ef` candidates, if there are that many.
  const std::vector<Found>& next(std::size_t count, std::size_t ef);
  // The candidates that the last call left out because their raw vectors are damaged. No later call meets them again.
  const std::vector<Slot>& damaged() const { return damaged_; }

 private:
  void advance();
  void enter();
  // Whether no node nearer than the candidates at hand is to be expected.
  bool settled() const;
  void expand(Slot node);
  void take(const Slot* slots, std::size_t n);
  // Ends the walk through the graph, and starts a scan of all its visible slots that were not met yet.
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
  std::vector<WalkKey> near_;      // Max-heap: nearest in the graph, not returned yet; at least `beam_` if there are.
  std::vector<WalkKey> far_;       // Min-heap: the other candidates of the graph.
  // Scanned candidates are kept apart from those met in the graph. Otherwise a tail with many near vectors would end
  // the walk before it came near the query in the graph.
  FlatScan tail_;
  FlatScan rest_;
  std::vector<WalkKey> candidates_;
  std::vector<Candidate> ranked_;
  std::vector<Found> found_;
  std::vector<Slot> damaged_;
  std::vector<Slot> given_;  // The results of the last call and its damaged slots, sorted.
};

}  // namespace engram
