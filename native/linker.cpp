#include "linker.hpp"

#include <algorithm>

#include "cpu.hpp"

namespace engram {
namespace {

// Most lists are much shorter than they may become, so it rarely pays to prefetch more than their first cache lines.
constexpr std::size_t kListPrefetchBytes = 128;

}  // namespace

Linker::Linker(Graph& graph)
    : graph_(graph),
      table_(graph.table()),
      by_bits_(graph.codec().bits_steer() && !graph.geometry().uses_norms()),
      tasks_(kInFlight) {
  for (std::size_t i = 0; i < kInFlight; ++i) tasks_[i].visited_bit = static_cast<std::uint8_t>(1U << i);
}

void Linker::link(Slot first, Slot last, std::size_t in_flight) {
  // Lists may get slots beyond the present capacity while this call runs; walks ignore such slots.
  if (visited_.size() < table_.capacity()) visited_.resize(table_.capacity());
  try {
    run(first, last, std::min(in_flight, kInFlight));
  } catch (...) {
    // Insertions that were in flight have left their visited bits set.
    std::fill(visited_.begin(), visited_.end(), std::uint8_t{0});
    throw;
  }
}

void Linker::run(Slot first, Slot last, std::size_t in_flight) {
  Slot next = first;
  const auto more = [&] {
    while (next < last && table_.linked(next).load(std::memory_order_relaxed) != 0) ++next;
    return next < last;
  };
  std::size_t active = 0;
  while (active < in_flight && more()) start(tasks_[active++], next++);
  while (active > 0) {
    for (std::size_t i = 0; i < active;) {
      Task& task = tasks_[i];
      if (!step(task)) {
        ++i;
      } else if (more()) {
        start(task, next++);
        ++i;
      } else {
        std::swap(task, tasks_[--active]);
      }
    }
  }
}

void Linker::start(Task& task, Slot slot) {
  task.slot = slot;
  task.stage = Stage::kEnter;
  prefetch(table_.bits(slot), table_.bit_stride());
  prefetch(table_.codes(slot), table_.code_stride());
}

bool Linker::step(Task& task) {
  switch (task.stage) {
    case Stage::kEnter:
      enter(task);
      return false;
    case Stage::kExpand:
      expand(task);
      return false;
    case Stage::kMeasure:
      measure(task);
      return false;
    case Stage::kChoose:
      choose(task);
      return false;
    case Stage::kConnect:
      connect(task);
      return true;
  }
  return true;
}

void Linker::enter(Task& task) {
  graph_.codec().load_query(table_.bits(task.slot), table_.codes(task.slot), task.query);
  task.pool.reset(graph_.parameters().ef_construction);
  task.met_count = 0;
  meet(task, &task.slot, 1);
  const EntryTable::Start start = graph_.entries().nearest_to_stored(graph_.codec().entry_row(task.query));
  task.pivot = start.pivot;
  meet(task, start.slots, start.count);
  task.stage = Stage::kMeasure;
}

void Linker::expand(Task& task) {
  Slot neighbours[kDegreeLimit];
  const std::size_t count = graph_.neighbours(task.expanding, neighbours);
  meet(task, neighbours, count);
  const std::size_t row_bytes = by_bits_ ? graph_.codec().bit_bytes() : table_.code_stride();
  for (std::size_t i = 0; i < task.fresh_count; ++i) prefetch(task.fresh_rows[i], row_bytes);
  task.stage = Stage::kMeasure;
}

void Linker::meet(Task& task, const Slot* slots, std::size_t n) {
  if (task.met.size() < task.met_count + n) task.met.resize(2 * (task.met_count + n));
  std::uint8_t* visited = visited_.data();
  const std::size_t limit = visited_.size();
  Slot* met = task.met.data() + task.met_count;
  std::size_t fresh = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const Slot slot = slots[i];
    if (slot >= limit) continue;
    met[fresh] = slot;
    fresh += (visited[slot] & task.visited_bit) == 0 ? 1 : 0;
    visited[slot] |= task.visited_bit;
  }
  for (std::size_t i = 0; i < fresh; ++i) {
    task.fresh[i] = met[i];
    task.fresh_rows[i] = walk_row(met[i]);
  }
  task.fresh_count = fresh;
  task.met_count += fresh;
}

void Linker::measure(Task& task) {
  std::uint32_t distances[kDegreeLimit];
  measure_fresh(task, distances);
  for (std::size_t i = 0; i < task.fresh_count; ++i) task.pool.offer(distances[i], task.fresh[i]);
  take_next(task);
}

void Linker::take_next(Task& task) {
  task.expanding = task.pool.take_nearest();
  if (task.expanding != kNoSlot) {
    prefetch(table_.links(task.expanding), kListPrefetchBytes);
    task.stage = Stage::kExpand;
    return;
  }
  const auto keep = static_cast<std::uint8_t>(~task.visited_bit);
  for (std::size_t i = 0; i < task.met_count; ++i) visited_[task.met[i]] &= keep;
  for (std::size_t i = 0; i < task.pool.size(); ++i) prefetch(table_.codes(task.pool.slot(i)), table_.code_stride());
  task.stage = Stage::kChoose;
}

void Linker::measure_fresh(Task& task, std::uint32_t* out) {
  const Kernels& k = kernels();
  const Codec& codec = graph_.codec();
  if (by_bits_) {
    k.hamming_rows(task.query.bits.data(), task.fresh_rows, task.fresh_count, codec.bit_bytes(), out);
    return;
  }
  const Geometry& geometry = graph_.geometry();
  if (codec.is_short()) {
    const ShortCode from = load_short(task.query.codes.data());
    for (std::size_t i = 0; i < task.fresh_count; ++i) {
      out[i] = ordered_bits(geometry.pair_distance(from, load_short(task.fresh_rows[i])));
    }
    return;
  }
  std::int32_t dots[kDegreeLimit];
  k.dot_rows(task.query.codes.data(), task.query.code_sum, task.fresh_rows, task.fresh_count, codec.code_dim(), dots);
  for (std::size_t i = 0; i < task.fresh_count; ++i) {
    const float norm = geometry.uses_norms() ? codec.tail(table_.bits(task.fresh[i])).norm : 1.0F;
    const float cosine = static_cast<float>(dots[i]) / codec.code_unit();
    out[i] = ordered_bits(geometry.pair_distance(cosine, task.query.norm, norm));
  }
}

void Linker::choose(Task& task) {
  const std::size_t n = task.pool.size();
  ranked_.resize(n);
  ranked_links_.resize(n);
  ranked_distances_.resize(n);
  for (std::size_t i = 0; i < n; ++i) ranked_links_[i] = task.pool.slot(i);
  graph_.measure_from(task.slot, buffers_);
  graph_.measure_to(ranked_links_.data(), n, buffers_, ranked_distances_.data());
  for (std::size_t i = 0; i < n; ++i) ranked_[i] = {ranked_distances_[i], ranked_links_[i]};
  std::sort(ranked_.begin(), ranked_.end());
  graph_.choose(ranked_, buffers_, task.chosen);
  // The list is complete before other threads can find the node, so no walk ends at a node without links.
  graph_.publish(task.slot, task.chosen);
  for (const Link link : task.chosen) {
    prefetch(table_.links(slot_of(link)), kListPrefetchBytes);
  }
  task.stage = Stage::kConnect;
}

void Linker::connect(Task& task) {
  graph_.connect_back(task.slot, task.chosen, buffers_);
  graph_.entries().add(task.slot, EntryTable::role(task.slot), graph_.entry_row(task.slot), task.pivot);
  table_.linked(task.slot).store(1, std::memory_order_relaxed);
}

}  // namespace engram
