// The graph: every slot's neighbour list, and the rules by which lists are chosen, grown and pruned.
//
// Readers take no lock. A list is changed under its node's spin byte; every entry is an atomic stored with release and
// loaded with acquire, so whoever sees a neighbour also sees its codes. While a list is being pruned a reader may see a
// mix of old and new entries, all of which are nodes of the graph.
//
// Nothing gets lost: besides its neighbours of choice, each node has one parent that keeps a marked link to it ("hangs
// on"), which pruning never removes. A parent was linked before its child, so the marked links form a tree that reaches
// every node from the first one.
//
// Lists of a checkpoint lie in a mapped file, which may come to hold anything while it is mapped. So no length or slot
// that is read from a list is used before it is bounded, and nothing here takes for granted that the links form a tree.
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
  std::size_t m;                // Neighbours a node chooses for itself.
  std::size_t degree_max;       // Length of a list; lists grow to it before they are pruned.
  std::size_t ef_construction;  // Candidates kept while looking for neighbours.
  float alpha = 1.15F;          // Slack of the pruning rule for a node's own choice (Vamana; measured best at 1.15).
};

inline constexpr std::size_t kDegreeLimit = 127;

// The mark on a link to a node that hangs on this one.
inline constexpr Link kHangs = 0x80000000U;
inline constexpr Slot slot_of(Link link) { return link & ~kHangs; }

struct Candidate {
  float distance;
  Link link;
  bool operator<(const Candidate& other) const {
    return distance != other.distance ? distance < other.distance : slot_of(link) < slot_of(other.link);
  }
};

// Scratch memory of one thread for choosing and pruning.
struct PruneBuffers {
  // The node that distances are measured from.
  std::vector<std::int8_t> codes;
  std::int32_t code_sum = 0;
  float norm = 1.0F;
  // The nodes that they are measured to.
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

  // Copies the list of a node to `out` (room for degree_max) and returns its length. The slots may be any: users leave
  // out those beyond what they know.
  std::size_t neighbours(Slot node, Slot* out) const;

  // Chooses neighbours of a new node from `sorted` (nearest first): a candidate is kept when it is nearer to the node
  // than `alpha` times its distance to every one kept so far.
  void choose(const std::vector<Candidate>& sorted, PruneBuffers& buffers, std::vector<Link>& chosen) const;

  // Makes a new node's own list visible to readers.
  void publish(Slot node, const std::vector<Link>& chosen);
  // Adds the reverse links of a published node and hangs it on one of its neighbours.
  void connect_back(Slot node, const std::vector<Link>& chosen, PruneBuffers& buffers);

  // Distances between stored vectors, by their codes: first the node they are measured from, then to which others.
  void measure_from(Slot node, PruneBuffers& buffers) const;
  void measure_to(const Link* others, std::size_t n, PruneBuffers& buffers, float* out) const;

 private:
  // Adds node -> to. A marked link is refused when the list is full of marked links; others may be pruned away.
  bool add_link(Slot node, Link to, PruneBuffers& buffers);
  // Makes room in a full list for one more link, under the node's lock.
  void prune(Slot node, Link extra, PruneBuffers& buffers);
  // Whether one of the kept links lies nearer to the candidate than the node does, by the factor `alpha`.
  bool shadowed(const Candidate& candidate, float alpha, const std::vector<Link>& kept, PruneBuffers& buffers) const;
  // The length of a node's list, and whether a link leads to memory that is there.
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
