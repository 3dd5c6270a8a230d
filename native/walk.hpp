// A search that can be continued: each call gives the next best results, none of them twice, out of one walk.
//
// Best-first search over the graph keeps a frontier of nodes that were met but not expanded. A call expands it until
// nothing in it is nearer than the candidates at hand, ranks those by byte codes and raw vectors, and gives the best;
// the rest stays at hand for the next call. What the snapshot sees of the tail is measured once, at the beginning.
// Memory grows with the nodes met, about 20 bytes each.
#pragma once

#include <cstdint>
#include <vector>

#include "graph.hpp"
#include "probe.hpp"
#include "types.hpp"
#include "view.hpp"
#include "visited_set.hpp"

namespace engram {

class Walk {
 public:
  // `allowed`, if any, must stay where it is as long as the walk lives.
  Walk(const Graph& graph, const float* query, const View& view);

  // Up to `count` results that were not given before, best first; none when there are no more. At least `ef`
  // candidates are weighed against one another.
  const std::vector<Found>& next(std::size_t count, std::size_t ef);

 private:
  using Key = std::uint64_t;  // The walking distance above, the slot below.
  static Key key(std::uint32_t distance, Slot slot) { return (static_cast<Key>(distance) << 32) | slot; }
  static Slot slot_in(Key key) { return static_cast<Slot>(key & 0xFFFFFFFFU); }

  void enter();
  void expand(Slot node);
  void take(const Slot* slots, std::size_t n);
  void collect(Key candidate);
  void refill(std::size_t beam);
  void give(std::size_t count);

  const Graph& graph_;
  const SlotTable& table_;
  const View view_;
  Probe probe_;
  bool flat_ = false;
  bool entered_ = false;
  std::size_t beam_ = 0;
  Slot limit_ = 0;
  VisitedSet met_;
  std::vector<Key> frontier_;  // Min-heap: met, not expanded.
  std::vector<Key> near_;      // Max-heap: the nearest candidates not given yet, at most `beam_`.
  std::vector<Key> far_;       // Min-heap: the other candidates.
  std::vector<Candidate> ranked_;
  std::vector<Found> found_;
  std::vector<Slot> given_;
};

}  // namespace engram
