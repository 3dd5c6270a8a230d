#include "entry_table.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels.hpp"

namespace engram {
namespace {

// The sample grows with the square root of a small table, to this many entries times that root; a scan of more than a
// few thousand would cost inserts too much, so beyond kRootEnds slots it grows by kEntriesPerFold when the table grows
// e-fold.
constexpr double kEntriesPerRoot = 10.0;
constexpr Slot kRootEnds = 65'536;
constexpr double kEntriesPerFold = 512.0;
constexpr std::size_t kScanStep = 256;

}  // namespace

bool EntryTable::samples(Slot slot) {
  if (slot < kSeeds) return true;
  const auto n = static_cast<double>(slot);
  const double share = slot < kRootEnds ? kEntriesPerRoot / 2.0 / std::sqrt(n) : kEntriesPerFold / n;
  const std::uint32_t hash = slot * 2654435761U;  // Knuth's multiplicative hash spreads neighbouring numbers.
  return hash < share * 4294967296.0;
}

EntryTable::~EntryTable() {
  for (auto& block : blocks_) delete block.load(std::memory_order_relaxed);
}

void EntryTable::add(Slot slot, const std::uint8_t* bit_row) {
  const std::lock_guard guard(writing_);
  const std::size_t position = size_.load(std::memory_order_relaxed);
  const std::size_t b = std::bit_width(position / kFirstBlock + 1) - 1;
  const std::size_t within = position - kFirstBlock * ((std::size_t{1} << b) - 1);
  BlockOf* block = blocks_[b].load(std::memory_order_relaxed);
  if (block == nullptr) {
    const std::size_t entries = kFirstBlock << b;
    block = new BlockOf{std::make_unique<std::uint8_t[]>(entries * bit_bytes_), std::make_unique<Slot[]>(entries)};
    blocks_[b].store(block, std::memory_order_release);
  }
  std::memcpy(block->bits.get() + within * bit_bytes_, bit_row, bit_bytes_);
  block->slots[within] = slot;
  size_.store(position + 1, std::memory_order_release);
}

std::size_t EntryTable::nearest(const std::uint8_t* query_bits, Slot* out) const {
  const Kernels& k = kernels();
  std::uint32_t distances[kScanStep];
  std::uint32_t best[kNearest];
  std::size_t found = 0;
  std::uint32_t threshold = std::numeric_limits<std::uint32_t>::max();
  std::size_t left = size();
  for (std::size_t b = 0; left > 0; ++b) {
    const BlockOf& block = *blocks_[b].load(std::memory_order_acquire);
    const std::size_t entries = std::min(left, kFirstBlock << b);
    left -= entries;
    for (std::size_t start = 0; start < entries; start += kScanStep) {
      const std::size_t n = std::min(kScanStep, entries - start);
      k.hamming_block(query_bits, block.bits.get() + start * bit_bytes_, bit_bytes_, n, bit_bytes_, distances);
      for (std::size_t i = 0; i < n; ++i) {
        if (distances[i] >= threshold) continue;
        std::size_t at = found < kNearest ? found++ : kNearest - 1;
        for (; at > 0 && best[at - 1] > distances[i]; --at) {
          best[at] = best[at - 1];
          out[at] = out[at - 1];
        }
        best[at] = distances[i];
        out[at] = block.slots[start + i];
        if (found == kNearest) threshold = best[kNearest - 1];
      }
    }
  }
  return found;
}

std::size_t EntryTable::nbytes() const { return size() * (bit_bytes_ + sizeof(Slot)); }

}  // namespace engram
