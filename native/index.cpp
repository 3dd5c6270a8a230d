#include "index.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "raw_check.hpp"
#include "shared_work.hpp"

namespace engram {
namespace {

constexpr std::size_t kRawBlockMin = std::size_t{64} << 10;
constexpr std::size_t kRawBlockMax = std::size_t{32} << 20;
// This many vectors are enough to estimate the centre of all vectors.
constexpr std::size_t kCentreSample = 256;
// More threads than this never link at the same time.
constexpr std::size_t kReturnedMax = 1024;

}  // namespace

Index::Index(std::size_t dim, Metric metric, const GraphParameters& parameters)
    : graph_(dim, metric, parameters),
      nothing_(std::make_shared<const std::vector<float>>(dim)),
      linkers_([this] { return std::make_unique<Linker>(graph_); }),
      searchers_([this] { return std::make_unique<Searcher>(graph_); }) {
  returned_.reserve(kReturnedMax);
}

void Index::append(const float* vectors, std::size_t n, Generation first, std::optional<RawVector> raw,
                   const std::uint32_t* sums, const Generation* generations) {
  SlotTable& table = graph_.table();
  const Codec& codec = graph_.codec();
  table.reserve(appended_ + n);
  if (n > 0 && codec.centre().empty()) {
    const std::size_t sample = std::min(n, kCentreSample);
    centre_on(vectors, sample, generations != nullptr ? generations[sample - 1] : first + sample - 1);
  }
  if (!raw.has_value()) {
    float* copy = own_raw(n);
    std::memcpy(copy, vectors, n * dim() * sizeof(float));
    raw = RawVector(copy);
    sums = nullptr;
  }
  std::vector<std::uint32_t> own_sums;
  if (sums == nullptr) {
    own_sums.resize(n);
    // float16 vectors can only be summed in `raw`. float32 vectors are summed from `vectors`, because the same bytes
    // may not have arrived in `raw` yet.
    const void* rows = raw->half() ? raw->data() : vectors;
    sum_rows(rows, n, raw->nbytes(dim()), own_sums.data());
    sums = own_sums.data();
  }
  for (std::size_t i = 0; i < n; ++i) {
    const Slot slot = appended_ + static_cast<Slot>(i);
    table.sum(slot).store(sums[i], std::memory_order_relaxed);
    codec.encode(vectors + i * dim(), table.bits(slot), table.codes(slot));
    if (graph_.geometry().uses_norms()) graph_.geometry().saw_norm(codec.tail(table.bits(slot)).norm);
    table.raw(slot).store(raw->after(i, dim()), std::memory_order_relaxed);
    table.born(slot).store(generations != nullptr ? generations[i] : first + i, std::memory_order_relaxed);
    // The field may not be zero: a discarded version may have ended in this slot, and a mapped file may hold anything.
    table.died(slot).store(0, std::memory_order_relaxed);
  }
  appended_ += static_cast<Slot>(n);
}

Slot Index::take_over(const Index& from, Slot first, Generation horizon, bool all) {
  // Read in this order: the published slots can only grow, so they include everything up to `published`.
  const Generation published = from.visible_generation();
  const Slot last = from.visible_slots_.load(std::memory_order_acquire);
  copy_slots(from, first, last, horizon);
  from.check_whole();
  publish(published);
  if (!all) return last;
  copy_slots(from, last, from.appended_, horizon);
  from.check_whole();
  return from.appended_;
}

bool Index::is_over(Slot slot, Generation died, Generation horizon) const {
  return died != 0 && (died <= horizon || graph_.table().is_erased(slot));
}

std::size_t Index::droppable(Generation horizon) const {
  const SlotTable& table = graph_.table();
  const Slot published = visible_slots_.load(std::memory_order_acquire);
  std::size_t count = 0;
  for (Slot s = 0; s < published; ++s) {
    count += is_over(s, table.died(s).load(std::memory_order_acquire), horizon) ? 1U : 0U;
  }
  return count;
}

void Index::copy_slots(const Index& from, Slot first, Slot last, Generation horizon) {
  const SlotTable& theirs = from.graph_.table();
  SlotTable& table = graph_.table();
  if (appended_ == 0 && last > first) {
    graph_.codec().centre_on(from.graph_.codec().centre());
    centre_of_ = from.centre_of_;
    nothing_ = from.nothing_;
    graph_.geometry().saw_norm(from.graph_.geometry().norm_max());
  }
  std::vector<float> widened;
  for (Slot s = first; s < last; ++s) {
    const Generation died = theirs.died(s).load(std::memory_order_acquire);
    if (from.is_over(s, died, horizon)) continue;
    table.reserve(appended_ + 1);
    const Slot slot = appended_++;
    std::memcpy(table.bits(slot), theirs.bits(s), theirs.bit_stride());
    std::memcpy(table.codes(slot), theirs.codes(s), theirs.code_stride());
    table.born(slot).store(theirs.born(s).load(std::memory_order_relaxed), std::memory_order_relaxed);
    table.died(slot).store(died, std::memory_order_relaxed);
    if (died != 0) dead_.fetch_add(1, std::memory_order_relaxed);
    RawVector raw = theirs.raw(s).load(std::memory_order_acquire);
    std::uint32_t sum = theirs.sum(s).load(std::memory_order_relaxed);
    if (from.owns_raw()) {
      const bool sound = is_sound(theirs, dim(), s);
      float* copy = own_raw(1);
      std::memcpy(copy, floats_of(raw, dim(), widened), dim() * sizeof(float));
      raw = RawVector(copy);
      // A damaged vector stays damaged: its copy gets a checksum that does not match.
      sum = sound ? sum_of(raw, dim()) : ~sum_of(raw, dim());
    }
    table.raw(slot).store(raw, std::memory_order_relaxed);
    table.sum(slot).store(sum, std::memory_order_relaxed);
  }
}

float* Index::own_raw(std::size_t n) {
  owns_raw_.store(true, std::memory_order_release);
  const std::size_t floats = n * dim();
  if (raw_free_floats_ < floats) {
    // Blocks double with the index, so a small index wastes little memory. Large blocks lie in huge pages, because the
    // first touch of ordinary pages costs more than encoding the vectors.
    const std::size_t wanted = std::clamp(raw_bytes_.load(), kRawBlockMin, kRawBlockMax);
    const std::size_t bytes = std::max(wanted, floats * sizeof(float));
    raw_blocks_.emplace_back(bytes, bytes >= kRawBlockMax);
    raw_free_ = reinterpret_cast<float*>(raw_blocks_.back().data());
    raw_free_floats_ = bytes / sizeof(float);
  }
  float* copy = std::exchange(raw_free_, raw_free_ + floats);
  raw_free_floats_ -= floats;
  raw_bytes_ += floats * sizeof(float);
  return copy;
}

void Index::publish(Generation generation) {
  visible_slots_.store(appended_, std::memory_order_release);
  visible_generation_.store(generation, std::memory_order_release);
}

void Index::discard() {
  const Slot visible = visible_slots_.load(std::memory_order_relaxed);
  for (Slot s = visible; s < appended_; ++s) {
    if (graph_.table().died(s).load(std::memory_order_relaxed) != 0) dead_.fetch_sub(1, std::memory_order_acq_rel);
  }
  appended_ = visible;
  // The first vectors make the centre, and these were not.
  if (visible == 0) graph_.codec().centre_on({});
}

Slot Index::born_until(Generation generation, Slot count) const {
  Slot low = 0;
  Slot high = count;
  while (low < high) {
    const Slot middle = low + (high - low) / 2;
    if (graph_.table().born(middle).load(std::memory_order_relaxed) <= generation) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Generation Index::gapless_from(Slot count) const {
  if (count == 0) return 0;
  const Generation first = graph_.table().born(0).load(std::memory_order_relaxed);
  // Generations rise, so there is no room for a gap if the last one is as far from the first as the slots are.
  return graph_.table().born(count - 1).load(std::memory_order_relaxed) - first == count - 1 ? first : 0;
}

bool Index::remove(Generation version, Generation at) {
  // The appending thread may remove a version that it has not published yet, because a batch may hold an id twice.
  const Slot after = born_until(version, appended_);
  if (after == 0 || graph_.table().born(after - 1).load(std::memory_order_relaxed) != version) return false;
  Generation alive = 0;
  if (!graph_.table().died(after - 1).compare_exchange_strong(alive, at, std::memory_order_acq_rel)) return false;
  dead_.fetch_add(1, std::memory_order_acq_rel);
  return true;
}

std::shared_lock<std::shared_mutex> Index::hold_linking() const {
  const std::lock_guard pass(turnstile_);
  return std::shared_lock(linking_);
}

std::unique_lock<std::shared_mutex> Index::stop_linking() const {
  const std::lock_guard pass(turnstile_);
  return std::unique_lock(linking_);
}

std::size_t Index::link(std::size_t count_max) {
  graph_.table().prepare(visible_slots_.load(std::memory_order_relaxed));
  const auto held = hold_linking();
  if (const auto range = take_returned()) {
    link_range(range->first, range->second, 1);
    return range->second - range->first;
  }
  const auto seeded = [this] { return linked_.load(std::memory_order_acquire) >= EntryTable::kSeeds; };
  if (!seeded()) {
    const std::size_t linked = link_seeds(count_max);
    // Another thread may have linked the seeds while this one waited. Then there are more slots to link.
    if (linked > 0 || !seeded()) return linked;
  }
  const auto [first, last] = claim(count_max);
  if (first == last) return 0;
  link_range(first, last, Linker::kInFlight);
  return last - first;
}

void Index::link_range(Slot first, Slot last, std::size_t in_flight) {
  try {
    linkers_.borrow()->link(first, last, in_flight);
    finish(first, last);
  } catch (...) {
    const std::lock_guard guard(finishing_);
    returned_.emplace_back(first, last);
    has_returned_.store(true, std::memory_order_release);
    throw;
  }
}

std::size_t Index::link_seeds(std::size_t count_max) {
  // The first slots are linked one after the other: if they were inserted at once, they would not find each other.
  const std::lock_guard alone(seeding_);
  const Slot first = claimed_.load(std::memory_order_relaxed);
  const Slot end = std::min<Slot>(visible_slots_.load(std::memory_order_acquire), EntryTable::kSeeds);
  if (first >= end) return 0;
  const Slot last = static_cast<Slot>(std::min<std::size_t>(end, first + count_max));
  claimed_.store(last, std::memory_order_relaxed);
  link_range(first, last, 1);
  return last - first;
}

std::optional<std::pair<Slot, Slot>> Index::take_returned() {
  if (!has_returned_.load(std::memory_order_acquire)) return std::nullopt;
  const std::lock_guard guard(finishing_);
  if (returned_.empty()) return std::nullopt;
  const std::pair<Slot, Slot> range = returned_.back();
  returned_.pop_back();
  has_returned_.store(!returned_.empty(), std::memory_order_release);
  return range;
}

std::pair<Slot, Slot> Index::claim(std::size_t count_max) {
  Slot first = claimed_.load(std::memory_order_relaxed);
  while (true) {
    const Slot visible = visible_slots_.load(std::memory_order_acquire);
    const Slot last = static_cast<Slot>(std::min<std::size_t>(visible, first + count_max));
    if (first >= last) return {first, first};
    if (claimed_.compare_exchange_weak(first, last, std::memory_order_acq_rel)) return {first, last};
  }
}

void Index::finish(Slot first, Slot last) {
  const std::lock_guard guard(finishing_);
  finished_[first] = last;
  Slot linked = linked_.load(std::memory_order_relaxed);
  for (auto next = finished_.find(linked); next != finished_.end(); next = finished_.find(linked)) {
    linked = next->second;
    finished_.erase(next);
  }
  linked_.store(linked, std::memory_order_release);
}

Generation Index::indexed_generation() const {
  // Read in this order: both counts can only grow, so `linked >= slots` means that everything up to `visible` is
  // linked.
  const Generation visible = visible_generation();
  const Slot slots = born_until(visible, visible_slots_.load(std::memory_order_acquire));
  const Slot linked = linked_.load(std::memory_order_acquire);
  if (linked >= slots) return visible;
  return graph_.table().born(linked).load(std::memory_order_relaxed) - 1;
}

View Index::view(Generation snapshot, const AllowList& allowed) const {
  View v;
  v.allowed = allowed;
  // Deletions are recorded before the generation that causes them is published, so a view sees both or neither.
  const Generation published = visible_generation_.load(std::memory_order_acquire);
  const Slot linked = linked_.load(std::memory_order_acquire);
  const std::size_t dead = dead_.load(std::memory_order_acquire);
  v.deletions = dead > 0;
  v.count = visible_slots_.load(std::memory_order_acquire);
  if (snapshot != kNever || v.deletions) {
    v.snapshot = std::min(snapshot, published);
    v.count = born_until(v.snapshot, v.count);
  }
  v.gapless_from = gapless_from(v.count);
  v.linked = std::min(linked, v.count);
  v.whole_graph = linked <= v.count;
  const auto total = static_cast<double>(std::max<Slot>(linked, 1));
  const auto dying = static_cast<double>(std::min<std::size_t>(dead, v.count));
  v.visible_fraction = std::clamp((static_cast<double>(v.linked) - dying) / total, 0.0, 1.0);
  if (allowed) v.visible_fraction = std::min(v.visible_fraction, static_cast<double>(allowed.allowed()) / total);
  return v;
}

std::vector<Generation> Index::search(const float* queries, std::size_t n, std::size_t k, std::size_t ef,
                                      Generation snapshot, const AllowList& allowed, std::size_t threads,
                                      Generation* generations, float* scores) const {
  const Readers::Reading held = reading();
  View seen = view(snapshot, allowed);
  // Threads that have queries of their own need no help.
  seen.shared = n == 1 && threads > 1;
  std::atomic<std::size_t> next{0};
  std::mutex finding;
  std::vector<Slot> damaged;
  const auto work = [&] {
    const auto searcher = searchers_.borrow();
    for (std::size_t i = next.fetch_add(1); i < n; i = next.fetch_add(1)) {
      const std::vector<Found>& found = searcher->search(queries + i * dim(), k, ef, seen);
      for (std::size_t j = 0; j < k; ++j) {
        const bool hit = j < found.size();
        generations[i * k + j] = hit ? generation_of(found[j].slot) : 0;
        scores[i * k + j] = hit ? found[j].score : -std::numeric_limits<float>::infinity();
      }
      if (searcher->damaged().empty()) continue;
      const std::lock_guard guard(finding);
      damaged.insert(damaged.end(), searcher->damaged().begin(), searcher->damaged().end());
    }
  };
  share_work(std::min(threads, n), work);
  check_whole();
  return generations_of(damaged);
}

std::vector<Generation> Index::generations_of(const std::vector<Slot>& slots) const {
  std::vector<Generation> generations;
  generations.reserve(slots.size());
  for (const Slot slot : slots) generations.push_back(generation_of(slot));
  std::sort(generations.begin(), generations.end());
  generations.erase(std::unique(generations.begin(), generations.end()), generations.end());
  return generations;
}

std::unique_ptr<Walk> Index::walk(const float* query, Generation snapshot, const AllowList& allowed) const {
  auto walk = std::make_unique<Walk>(graph_);
  walk->begin(query, view(snapshot, allowed));
  return walk;
}

std::pair<std::vector<Match>, std::vector<Generation>> Index::match(CueTable& cues, Generation first,
                                                                    Generation last) const {
  const Readers::Reading held = reading();
  std::vector<Match> matches;
  std::vector<Slot> damaged;
  const Slot published = visible_slots_.load(std::memory_order_acquire);
  const Slot begin = first == 0 ? 0 : born_until(first - 1, published);
  cues.match(graph_, begin, born_until(last, published), matches, damaged);
  check_whole();
  return {std::move(matches), generations_of(damaged)};
}

std::vector<Generation> Index::copy_raw(const Generation* versions, std::size_t n, float* out,
                                        std::uint8_t* live) const {
  const Readers::Reading held = reading();
  const SlotTable& table = graph_.table();
  const Slot published = visible_slots_.load(std::memory_order_acquire);
  std::vector<float> buffer;
  std::vector<Slot> damaged;
  std::fill_n(out, n * dim(), 0.0F);
  for (std::size_t i = 0; i < n; ++i) {
    const Slot after = born_until(versions[i], published);
    const bool known = after > 0 && generation_of(after - 1) == versions[i];
    const bool alive = known && table.died(after - 1).load(std::memory_order_acquire) == 0;
    live[i] = alive ? 1 : 0;
    if (!alive) continue;
    if (!is_sound(table, dim(), after - 1)) {
      damaged.push_back(after - 1);
      continue;
    }
    const RawVector raw = table.raw(after - 1).load(std::memory_order_acquire);
    std::memcpy(out + i * dim(), floats_of(raw, dim(), buffer), dim() * sizeof(float));
  }
  check_whole();
  return generations_of(damaged);
}

std::size_t Index::nbytes() const { return graph_.table().nbytes(size()) + graph_.entries().nbytes() + raw_bytes_; }

}  // namespace engram
