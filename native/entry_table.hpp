// Where walks begin: the sign bits of a thin sample of all slots, scanned in full for every walk.
//
// The sample thins out as the table grows: 1 000 entries at ten thousand slots, 4 000 at a million. A dense sample
// matters most in small tables of diverse vectors, where a walk from too far away gets stuck before it arrives. Readers
// take no lock: entries are appended to blocks that never move and published by a counter.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "codec.hpp"
#include "types.hpp"

namespace engram {

class EntryTable {
 public:
  static constexpr std::size_t kNearest = 4;
  // The first slots are all entries: there is nowhere else to begin.
  static constexpr Slot kSeeds = 64;

  explicit EntryTable(std::size_t bit_bytes) : bit_bytes_(bit_bytes) {}
  EntryTable(const EntryTable&) = delete;
  EntryTable& operator=(const EntryTable&) = delete;
  ~EntryTable();

  // Whether the slot belongs to the sample: a fixed property of its number, so that a reload gives the same table.
  static bool samples(Slot slot);

  void add(Slot slot, const std::uint8_t* bit_row);
  std::size_t size() const { return size_.load(std::memory_order_acquire); }
  // Writes up to kNearest slots nearest to the query's bits and returns how many.
  std::size_t nearest(const std::uint8_t* query_bits, Slot* out) const;
  std::size_t nbytes() const;

 private:
  struct BlockOf {
    std::unique_ptr<std::uint8_t[]> bits;
    std::unique_ptr<Slot[]> slots;
  };
  // Block b holds kFirstBlock << b entries, so two dozen blocks are more than slots exist.
  static constexpr std::size_t kFirstBlock = 256;
  static constexpr std::size_t kBlocks = 24;

  std::size_t bit_bytes_;
  std::atomic<std::size_t> size_{0};
  std::mutex writing_;
  std::array<std::atomic<BlockOf*>, kBlocks> blocks_{};
};

}  // namespace engram
