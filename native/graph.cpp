#include "graph.hpp"

#include <algorithm>
#include <thread>

#include "cpu.hpp"

namespace engram {
namespace {

// Distances to kept neighbours are computed a few at a time, because most candidates are shadowed by one of the first.
constexpr std::size_t kShadowStep = 4;
constexpr int kSpinsMax = 200;

class NodeLock {
 public:
  NodeLock(SlotTable& table, Slot node) : byte_(table.lock(node)) {
    // The lock is held for a microsecond, unless its holder has lost the processor. Then spinning on would only keep
    // the holder waiting.
    for (int spins = 0; byte_.exchange(1, std::memory_order_acquire) != 0; ++spins) {
      if (spins < kSpinsMax) {
        cpu_pause();
      } else {
        std::this_thread::yield();
      }
    }
  }
  NodeLock(const NodeLock&) = delete;
  NodeLock& operator=(const NodeLock&) = delete;
  ~NodeLock() { byte_.store(0, std::memory_order_release); }

 private:
  std::atomic<std::uint8_t>& byte_;
};

}  // namespace

Graph::Graph(std::size_t dim, Metric metric, const GraphParameters& parameters)
    : parameters_(parameters),
      codec_(dim, metric),
      geometry_(metric),
      table_(codec_, parameters.degree_max),
      entries_(codec_, geometry_) {}

std::size_t Graph::neighbours(Slot node, Slot* out) const {
  const Link* list = table_.links(node);
  const std::size_t count = length_of(list);
  for (std::size_t i = 0; i < count; ++i) out[i] = slot_of(load_link(list + 1 + i));
  return count;
}

void Graph::measure_from(Slot node, PruneBuffers& b) const {
  b.code_sum = codec_.load_codes(table_.codes(node), b.codes);
  if (geometry_.uses_norms()) b.norm = norm(node);
}

void Graph::measure_to(const Link* others, std::size_t n, PruneBuffers& b, float* out) const {
  if (codec_.is_short()) {
    const ShortCode from = load_short(b.codes.data());
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = geometry_.pair_distance(from, load_short(table_.codes(slot_of(others[i]))));
    }
    return;
  }
  if (b.rows.size() < n) {
    b.rows.resize(n);
    b.dots.resize(n);
  }
  for (std::size_t i = 0; i < n; ++i) b.rows[i] = table_.codes(slot_of(others[i]));
  kernels().dot_rows(b.codes.data(), b.code_sum, b.rows.data(), n, codec_.code_dim(), b.dots.data());
  const float inverse_unit = 1.0F / codec_.code_unit();
  const bool norms = geometry_.uses_norms();
  for (std::size_t i = 0; i < n; ++i) {
    const float cosine = static_cast<float>(b.dots[i]) * inverse_unit;
    out[i] = geometry_.pair_distance(cosine, b.norm, norms ? norm(slot_of(others[i])) : 1.0F);
  }
}

bool Graph::shadowed(const Candidate& candidate, float alpha, const std::vector<Link>& kept, PruneBuffers& b) const {
  if (kept.empty()) return false;
  float distances[kShadowStep];
  measure_from(slot_of(candidate.link), b);
  // The links that were kept last are the likeliest to shadow the candidate, because they lie at a similar distance.
  for (std::size_t end = kept.size(); end > 0;) {
    const std::size_t n = std::min(kShadowStep, end);
    end -= n;
    measure_to(kept.data() + end, n, b, distances);
    for (std::size_t i = 0; i < n; ++i) {
      if (alpha * distances[i] < candidate.distance) return true;
    }
  }
  return false;
}

void Graph::choose(const std::vector<Candidate>& sorted, PruneBuffers& buffers, std::vector<Link>& chosen) const {
  chosen.clear();
  std::size_t twins = 0;
  for (const Candidate& candidate : sorted) {
    if (chosen.size() == parameters_.m) break;
    // Equal vectors do not shadow one another. They may fill half a list; the rest of it must lead elsewhere.
    if (candidate.distance <= 0.0F && ++twins > parameters_.m / 2) continue;
    if (!shadowed(candidate, parameters_.alpha, chosen, buffers)) chosen.push_back(candidate.link);
  }
}

void Graph::publish(Slot node, const std::vector<Link>& chosen) {
  const NodeLock lock(table_, node);
  Link* list = table_.links(node);
  for (std::size_t i = 0; i < chosen.size(); ++i) store_link(list + 1 + i, chosen[i]);
  store_link(list, static_cast<Link>(chosen.size()));
}

void Graph::connect_back(Slot node, const std::vector<Link>& chosen, PruneBuffers& buffers) {
  bool hangs = false;
  for (const Link neighbour : chosen) {
    const bool added = add_link(neighbour, hangs ? node : node | kHangs, buffers);
    hangs = hangs || added;
  }
  // Only among thousands of equal vectors are the lists of all neighbours full of marked links. Then the search for a
  // parent goes down the tree to a node that has room, as leaves have.
  Slot parent = chosen.empty() ? kNoSlot : chosen.front();
  // In damaged lists the way down may lead round in a cycle, which is found as by Brent (1980): the mark is set again
  // after ever more steps, so a cycle comes back to it.
  Slot mark = parent;
  std::size_t steps_left = 1;
  for (std::size_t round = 1; !hangs && parent != kNoSlot; --steps_left) {
    if (steps_left == 0) {
      mark = parent;
      steps_left = round *= 2;
    }
    const Link child = load_link(table_.links(parent) + 1 + node % parameters_.degree_max);
    parent = slot_of(child);
    if (!leads_somewhere(child) || parent == mark) return;
    hangs = parent == node || add_link(parent, node | kHangs, buffers);
  }
}

bool Graph::add_link(Slot node, Link to, PruneBuffers& buffers) {
  const NodeLock lock(table_, node);
  Link* list = table_.links(node);
  const std::size_t count = length_of(list);
  std::size_t known = 0;
  for (std::size_t i = 1; i <= count; ++i) known = slot_of(list[i]) == slot_of(to) ? i : known;
  if (known != 0) {
    // Two nodes that are inserted at the same moment may choose each other. Then only the mark can be new.
    store_link(list + known, list[known] | to);
    return true;
  }
  if (count < parameters_.degree_max) {
    store_link(list + 1 + count, to);
    store_link(list, static_cast<Link>(count + 1));
    return true;
  }
  const auto marked = std::count_if(list + 1, list + 1 + count, [](Link link) { return (link & kHangs) != 0; });
  if (static_cast<std::size_t>(marked) == count) return false;
  prune(node, to, buffers);
  return true;
}

void Graph::prune(Slot node, Link extra, PruneBuffers& b) {
  Link* list = table_.links(node);
  Link all[kDegreeLimit + 1];
  float distances[kDegreeLimit + 1];
  const auto sound = [this](Link link) { return leads_somewhere(link); };
  Link* end = std::copy_if(list + 1, list + 1 + length_of(list), all, sound);
  *end++ = extra;
  const auto count = static_cast<std::size_t>(end - all);
  measure_from(node, b);
  measure_to(all, count, b, distances);
  b.candidates.clear();
  for (std::size_t i = 0; i < count; ++i) b.candidates.push_back({distances[i], all[i]});
  std::sort(b.candidates.begin(), b.candidates.end());
  std::size_t marked_left = std::count_if(all, all + count, [](Link link) { return (link & kHangs) != 0; });
  b.kept.clear();
  // Equal vectors do not shadow one another. Room must be left nevertheless, or every further link would prune the list
  // again.
  const std::size_t keep_max = parameters_.degree_max - parameters_.degree_max / 4;
  for (const Candidate& candidate : b.candidates) {
    if ((candidate.link & kHangs) != 0) {
      --marked_left;
      b.kept.push_back(candidate.link);
    } else if (b.kept.size() + marked_left < keep_max && !shadowed(candidate, 1.0F, b.kept, b)) {
      b.kept.push_back(candidate.link);
    }
  }
  const std::size_t kept = std::min(b.kept.size(), parameters_.degree_max);
  for (std::size_t i = 0; i < kept; ++i) store_link(list + 1 + i, b.kept[i]);
  store_link(list, static_cast<Link>(kept));
}

}  // namespace engram
