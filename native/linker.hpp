// Insertion: finds the neighbours of vectors that are in the table but not in the graph yet, and links them.
//
// A walk through the graph waits for memory most of its time. So each thread keeps several insertions in flight as
// small state machines. Every step ends by prefetching the memory that the next step needs, and the other insertions
// take their steps while it arrives. This cut the time by a third once the data no longer fitted into the caches.
#pragma once

#include <cstdint>
#include <vector>

#include "candidate_pool.hpp"
#include "graph.hpp"
#include "types.hpp"

namespace engram {

// The insertion engine of one thread. Keep it from batch to batch, because it owns the scratch memory.
class Linker {
 public:
  static constexpr std::size_t kInFlight = 8;

  explicit Linker(Graph& graph);

  // Links the slots [first, last) except those that are linked already. All of them must be encoded and visible to this
  // thread. If the call throws for lack of memory, repeating it links the slots that are left.
  void link(Slot first, Slot last, std::size_t in_flight = kInFlight);

 private:
  enum class Stage : std::uint8_t { kEnter, kExpand, kMeasure, kChoose, kConnect };

  struct Task {
    Stage stage = Stage::kEnter;
    std::uint8_t visited_bit = 0;
    Slot slot = kNoSlot;
    Slot expanding = kNoSlot;
    std::size_t pivot = 0;  // The nearest pivot, to whose bucket the slot may be added.
    std::size_t fresh_count = 0;
    Slot fresh[kDegreeLimit];  // Neighbours of the expanded node that this walk has not met before.
    const std::uint8_t* fresh_rows[kDegreeLimit];
    std::vector<Slot> met;  // The slots whose visited bits are set, to clear the bits again.
    std::size_t met_count = 0;
    CandidatePool pool;
    QueryCode query;
    std::vector<Link> chosen;
  };

  void run(Slot first, Slot last, std::size_t in_flight);
  void start(Task& task, Slot slot);
  // Each function takes one step of a task. `step` returns true when the task's slot is linked.
  bool step(Task& task);
  void enter(Task& task);
  void expand(Task& task);
  void measure(Task& task);
  void choose(Task& task);
  void connect(Task& task);

  // Stores those of `slots` that the walk has not met before in task.fresh.
  void meet(Task& task, const Slot* slots, std::size_t n);
  void take_next(Task& task);
  void measure_fresh(Task& task, std::uint32_t* out);
  const std::uint8_t* walk_row(Slot slot) const { return by_bits_ ? table_.bits(slot) : table_.codes(slot); }

  Graph& graph_;
  SlotTable& table_;
  const bool by_bits_;                 // Walk by the Hamming distance of sign bits, else by byte codes.
  std::vector<std::uint8_t> visited_;  // For each slot, one bit per task in flight.
  std::vector<Task> tasks_;
  PruneBuffers buffers_;
  std::vector<Candidate> ranked_;
  std::vector<Link> ranked_links_;
  std::vector<float> ranked_distances_;
};

}  // namespace engram
