#include "entry_table.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "kernels/kernels.hpp"

namespace engram {
namespace {

// Up to kRootEnds slots, the number of pivots is kPivotsPerRoot times the square root of the number of slots. Every
// walk scans all pivots, so beyond kRootEnds slots only kPivotsPerFold pivots are added when the table grows e-fold
// (our own, see docs/decisions/0007).
constexpr double kPivotsPerRoot = 2.0;
constexpr Slot kRootEnds = 65'536;
constexpr double kPivotsPerFold = 128.0;
// Slots per pivot that are offered to the buckets. Some buckets fill up while others stay half empty.
constexpr double kEntriesPerPivot = 24.0;
constexpr std::size_t kScanStep = 256;

// The kCount nearest of all items that were offered, nearest first.
template <std::size_t kCount>
class Nearest {
 public:
  void offer(std::uint32_t distance, std::size_t what) {
    if (distance >= threshold_) return;
    std::size_t at = count_ < kCount ? count_++ : kCount - 1;
    for (; at > 0 && distances_[at - 1] > distance; --at) {
      distances_[at] = distances_[at - 1];
      found_[at] = found_[at - 1];
    }
    distances_[at] = distance;
    found_[at] = what;
    if (count_ == kCount) threshold_ = distances_[kCount - 1];
  }
  std::size_t count() const { return count_; }
  std::size_t operator[](std::size_t i) const { return found_[i]; }
  std::uint32_t distance(std::size_t i) const { return distances_[i]; }

 private:
  std::uint32_t threshold_ = std::numeric_limits<std::uint32_t>::max();
  std::size_t count_ = 0;
  std::uint32_t distances_[kCount];
  std::size_t found_[kCount];
};

}  // namespace

EntryTable::Role EntryTable::role(Slot slot) {
  if (slot < kSeeds) return Role::kPivot;
  const auto n = static_cast<double>(slot);
  const double pivots = slot < kRootEnds ? kPivotsPerRoot / 2.0 / std::sqrt(n) : kPivotsPerFold / n;
  const std::uint32_t hash = slot * 2654435761U;  // Knuth's multiplicative hash spreads neighbouring numbers.
  const double share = hash / 4294967296.0;
  if (share < pivots) return Role::kPivot;
  return share < pivots * (1.0 + kEntriesPerPivot) ? Role::kEntry : Role::kNone;
}

EntryTable::~EntryTable() {
  for (auto& block : blocks_) delete block.load(std::memory_order_relaxed);
}

std::pair<std::size_t, std::size_t> EntryTable::place(std::size_t pivot) const {
  const std::size_t b = std::bit_width(pivot / kFirstBlock + 1) - 1;
  return {b, pivot - kFirstBlock * ((std::size_t{1} << b) - 1)};
}

void EntryTable::add(Slot slot, Role role, const std::uint8_t* row, std::size_t pivot) {
  if (role == Role::kNone) return;
  const std::lock_guard guard(writing_);
  if (role == Role::kPivot) {
    add_pivot(slot, row);
  } else {
    add_entry(slot, row, pivot);
  }
}

void EntryTable::add_pivot(Slot slot, const std::uint8_t* row) {
  const std::size_t position = pivots_.load(std::memory_order_relaxed);
  const auto [b, within] = place(position);
  BlockOf* block = blocks_[b].load(std::memory_order_relaxed);
  if (block == nullptr) {
    const std::size_t pivots = kFirstBlock << b;
    block = new BlockOf{std::make_unique<std::uint8_t[]>(pivots * row_bytes_), std::make_unique<Slot[]>(pivots),
                        std::make_unique<Bucket[]>(pivots)};
    blocks_[b].store(block, std::memory_order_release);
  }
  std::memcpy(block->rows.get() + within * row_bytes_, row, row_bytes_);
  block->slots[within] = slot;
  block->buckets[within].rows = std::make_unique<std::uint8_t[]>(kBucketMax * row_bytes_);
  pivots_.store(position + 1, std::memory_order_release);
}

void EntryTable::add_entry(Slot slot, const std::uint8_t* row, std::size_t pivot) {
  const auto [b, within] = place(pivot);
  Bucket& bucket = blocks_[b].load(std::memory_order_relaxed)->buckets[within];
  const std::size_t count = bucket.count.load(std::memory_order_relaxed);
  if (count == kBucketMax) return;
  std::memcpy(bucket.rows.get() + count * row_bytes_, row, row_bytes_);
  bucket.slots[count] = slot;
  bucket.count.store(count + 1, std::memory_order_release);
  entries_.fetch_add(1, std::memory_order_release);
}

void EntryTable::measure(const std::uint8_t* row, bool stored, const std::uint8_t* others, std::size_t n,
                         std::uint32_t* out) const {
  if (!codec_.is_short()) {
    kernels().hamming_block(row, others, row_bytes_, n, row_bytes_, out);
    return;
  }
  const ShortCode code = load_short(row);
  for (std::size_t i = 0; i < n; ++i) {
    const ShortCode other = load_short(others + i * row_bytes_);
    out[i] = ordered_bits(stored ? geometry_.pair_distance(code, other) : geometry_.query_distance(code, other));
  }
}

EntryTable::Start EntryTable::nearest(const std::uint8_t* row, bool stored) const {
  std::uint32_t distances[kScanStep];
  Nearest<kBuckets> pivots;
  std::size_t left = pivots_.load(std::memory_order_acquire);
  std::size_t position = 0;
  for (std::size_t b = 0; left > 0; ++b) {
    const BlockOf& block = *blocks_[b].load(std::memory_order_acquire);
    const std::size_t count = std::min(left, kFirstBlock << b);
    left -= count;
    for (std::size_t start = 0; start < count; start += kScanStep) {
      const std::size_t n = std::min(kScanStep, count - start);
      measure(row, stored, block.rows.get() + start * row_bytes_, n, distances);
      for (std::size_t i = 0; i < n; ++i) pivots.offer(distances[i], position + i);
      position += n;
    }
  }
  Nearest<kNearest> best;
  for (std::size_t i = 0; i < pivots.count(); ++i) {
    const auto [b, within] = place(pivots[i]);
    const BlockOf& block = *blocks_[b].load(std::memory_order_acquire);
    best.offer(pivots.distance(i), block.slots[within]);
    const Bucket& bucket = block.buckets[within];
    const std::size_t n = bucket.count.load(std::memory_order_acquire);
    measure(row, stored, bucket.rows.get(), n, distances);
    for (std::size_t j = 0; j < n; ++j) best.offer(distances[j], bucket.slots[j]);
  }
  Start start;
  start.count = best.count();
  start.pivot = pivots.count() > 0 ? pivots[0] : 0;
  for (std::size_t i = 0; i < best.count(); ++i) start.slots[i] = static_cast<Slot>(best[i]);
  return start;
}

void EntryTable::for_each(const std::function<void(Slot)>& visit) const {
  const std::size_t pivots = pivots_.load(std::memory_order_acquire);
  for (std::size_t pivot = 0; pivot < pivots; ++pivot) {
    const auto [b, within] = place(pivot);
    const BlockOf& block = *blocks_[b].load(std::memory_order_acquire);
    visit(block.slots[within]);
    const Bucket& bucket = block.buckets[within];
    const std::size_t n = bucket.count.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < n; ++i) visit(bucket.slots[i]);
  }
}

std::size_t EntryTable::nbytes() const {
  return pivots_.load(std::memory_order_relaxed) * (row_bytes_ * (kBucketMax + 1) + sizeof(Slot) + sizeof(Bucket));
}

}  // namespace engram
