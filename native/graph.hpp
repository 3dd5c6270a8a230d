// The graph: the neighbour list of every slot, and the rules by which lists are chosen, grown and pruned. The pruning
// rule is RobustPrune (Subramanya et al., DiskANN, 2019).
//
// Readers take no lock. A list is changed under the spin lock of its node. Every link is an atomic, stored with release
// and loaded with acquire, so a reader that sees a neighbour also sees the neighbour's codes. While a list is being
// pruned, a reader may see a mix of old and new links, all of which lead to nodes of the graph.
//
// No node becomes unreachable. Besides the neighbours that it chooses, each node has one parent that keeps a marked
// link to it (the node "hangs on" its parent), and pruning never removes a marked link. A parent was linked before its
// child, so the marked links form a tree that reaches every node from the first one.
//
// The lists of a checkpoint lie in a mapped file, whose bytes may change in any way while it is mapped. So every length
// and slot read from a list is bounded before it is used, and no code here assumes that the links form a tree.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "codec.hpp"
#include "entry_table.hpp"
#include "geometry.hpp"
#include "slot_table.hpp"
#include "types.hpp"

namespace engram {

struct GraphParameters {
  std::size_t m;                // Neighbours that a new node chooses, at most.
  std::size_t degree_max;       // Longest list; lists grow to this length before they are pruned.
  std::size_t ef_construction;  // Candidates kept during the search for neighbours.
  float alpha = 1.15F;          // RobustPrune's slack when a new node chooses; 1.15 was measured best.
};

inline constexpr std::size_t kDegreeLimit = 127;

// Marks a link to a node that hangs on the node of the list.
inline constexpr Link kHangs = 0x80000000U;
constexpr Slot slot_of(Link link) { return link & ~kHangs; }

struct Candidate {
  float distance;
  Link link;
  bool operator<(const Candidate& other) const {
    return distance != other.distance ? distance < other.distance : slot_of(link) < slot_of(other.link);
  }
};

// Scratch memory of one thread for choosing and pruning links.
struct PruneBuffers {
  // The node from which distances are measured.
  std::vector<std::int8_t> codes;
  std::int32_t code_sum = 0;
  float norm = 1.0F;
  // The nodes to which distances are measured.
  std::vector<const std::uint8_t*> rows;
  std::vector<std::int32_t> dots;
  std::vector<Candidate> candidates;
  std::vector<Link> kept;
};

class Graph {
 public:
  Graph(std::size_t dim, Metric metric, const GraphParameters& parameters);

  Codec& codec() { return codec_; }
  const Codec& codec() const { return codec_; }
  Geometry& geometry() { return geometry_; }
  const Geometry& geometry() const { return geometry_; }
  SlotTable& table() { return table_; }
  const SlotTable& table() const { return table_; }
  EntryTable& entries() { return entries_; }
  const EntryTable& entries() const { return entries_; }
  const GraphParameters& parameters() const { return parameters_; }
  const std::uint8_t* entry_row(Slot node) const { return codec_.entry_row(table_.bits(node), table_.codes(node)); }

  // Copies the list of a node to `out` (room for degree_max slots) and returns its length. The slots may have any
  // value: callers ignore those beyond the slots that they know.
  std::size_t neighbours(Slot node, Slot* out) const;

  // Chooses neighbours of a new node from `sorted` (nearest first) by RobustPrune (Subramanya et al., 2019): a
  // candidate is kept if its distance to the node is at most `alpha` times its distance to every candidate kept so far.
  void choose(const std::vector<Candidate>& sorted, PruneBuffers& buffers, std::vector<Link>& chosen) const;

  // Makes the list of a new node visible to readers.
  void publish(Slot node, const std::vector<Link>& chosen);
  // Adds the reverse links of a published node, and makes the node hang on one of its neighbours or, if those are full
  // of marked links, on a node below them in the tree.
  void connect_back(Slot node, const std::vector<Link>& chosen, PruneBuffers& buffers);

  // Measure distances between stored vectors by their codes: `measure_from` sets the node to measure from, and
  // `measure_to` measures the distances to others.
  void measure_from(Slot node, PruneBuffers& buffers) const;
  void measure_to(const Link* others, std::size_t n, PruneBuffers& buffers, float* out) const;

 private:
  // Adds the link node -> to. Returns false, and adds nothing, if the list is full of other marked links. In a full
  // list a link without a mark may be pruned away, also the new one.
  bool add_link(Slot node, Link to, PruneBuffers& buffers);
  // Prunes a full list to make room for one more link. The caller holds the node's lock.
  void prune(Slot node, Link extra, PruneBuffers& buffers);
  // Whether RobustPrune drops the candidate: one of the kept links lies nearer to it than the node does, by the factor
  // `alpha`.
  bool shadowed(const Candidate& candidate, float alpha, const std::vector<Link>& kept, PruneBuffers& buffers) const;
  // Bounds for what is read from lists: the length of a node's list, and whether a link leads to memory that is there.
  std::size_t length_of(const Link* list) const {
    return std::min<std::size_t>(load_link(list), parameters_.degree_max);
  }
  bool leads_somewhere(Link link) const { return slot_of(link) < table_.capacity(); }
  float norm(Slot node) const { return codec_.tail(table_.bits(node)).norm; }

  GraphParameters parameters_;
  Codec codec_;
  Geometry geometry_;
  SlotTable table_;
  EntryTable entries_;
};

}  // namespace engram
