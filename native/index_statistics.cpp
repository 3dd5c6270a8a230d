// Visits the whole graph, and reports its shape and its defects.
#include <algorithm>

#include "index.hpp"

namespace engram {

Statistics Index::statistics() const {
  Statistics s;
  const auto alone = stop_linking();
  s.slots = size();
  s.linked = linked_.load(std::memory_order_acquire);
  s.dead = dead_.load(std::memory_order_acquire);
  s.entries = graph_.entries().size();
  s.degrees.assign(graph_.parameters().degree_max + 1, 0);
  std::vector<std::uint8_t> reached(s.linked, 0);
  std::vector<Slot> stack;
  graph_.entries().for_each([&](Slot slot) {
    // A link call that failed may leave an entry point that does not count as linked yet.
    if (slot >= s.linked || reached[slot] != 0) return;
    reached[slot] = 1;
    stack.push_back(slot);
  });
  while (!stack.empty()) {
    const Slot node = stack.back();
    stack.pop_back();
    Slot list[kDegreeLimit];
    const std::size_t count = graph_.neighbours(node, list);
    ++s.degrees[count];
    s.links += count;
    for (std::size_t i = 0; i < count; ++i) {
      const bool twice = std::find(list, list + i, list[i]) != list + i;
      if (list[i] >= s.linked || list[i] == node || twice) {
        ++s.invalid_links;
      } else if (reached[list[i]] == 0) {
        reached[list[i]] = 1;
        stack.push_back(list[i]);
      }
    }
  }
  s.unreachable = static_cast<std::size_t>(std::count(reached.begin(), reached.end(), 0));
  return s;
}

}  // namespace engram
