// Where walks begin: a sample of all slots in two levels, pivots and the entries in their buckets.
//
// A walk starts from the entries nearest to its query. All pivots are scanned, then the buckets of the nearest few; so
// a scan of a thousand rows looks among twenty times as many, which spares the first hops of a walk and, in small
// tables of diverse vectors, keeps it from getting stuck on the way. The pivots thin out as the table grows: 200 at ten
// thousand slots, 900 at a million. Readers take no lock: pivots and entries are appended to memory that never moves
// and are published by counters.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "codec.hpp"
#include "types.hpp"

namespace engram {

class EntryTable {
 public:
  // What a slot is to the table: a fixed property of its number, so that a reload gives the same table.
  enum class Role : std::uint8_t { kNone, kPivot, kEntry };
  static constexpr std::size_t kNearest = 4;
  // The first slots are all pivots: there is nowhere else to begin.
  static constexpr Slot kSeeds = 64;

  // Where to begin, and the pivot that lies nearest.
  struct Start {
    Slot slots[kNearest];
    std::size_t count = 0;
    std::size_t pivot = 0;
  };

  explicit EntryTable(std::size_t bit_bytes) : bit_bytes_(bit_bytes) {}
  EntryTable(const EntryTable&) = delete;
  EntryTable& operator=(const EntryTable&) = delete;
  ~EntryTable();

  static Role role(Slot slot);

  // Adds a slot that has a role; `pivot` is the one nearest to it, of which an entry fills the bucket. Entries are left
  // out when it is full.
  void add(Slot slot, Role role, const std::uint8_t* bit_row, std::size_t pivot);
  Start nearest(const std::uint8_t* query_bits) const;
  std::size_t size() const {
    return pivots_.load(std::memory_order_acquire) + entries_.load(std::memory_order_acquire);
  }
  void for_each(const std::function<void(Slot)>& visit) const;
  std::size_t nbytes() const;

 private:
  static constexpr std::size_t kBucketMax = 32;
  static constexpr std::size_t kBuckets = 8;  // Of how many pivots the buckets are scanned.
  struct Bucket {
    std::atomic<std::size_t> count{0};
    Slot slots[kBucketMax];
    std::unique_ptr<std::uint8_t[]> bits;
  };
  struct BlockOf {
    std::unique_ptr<std::uint8_t[]> bits;
    std::unique_ptr<Slot[]> slots;
    std::unique_ptr<Bucket[]> buckets;
  };
  // Block b holds kFirstBlock << b pivots, so two dozen blocks are more than slots exist.
  static constexpr std::size_t kFirstBlock = 256;
  static constexpr std::size_t kBlocks = 24;

  // The block of a pivot, and its place in it.
  std::pair<std::size_t, std::size_t> place(std::size_t pivot) const;
  void add_pivot(Slot slot, const std::uint8_t* bit_row);
  void add_entry(Slot slot, const std::uint8_t* bit_row, std::size_t pivot);

  std::size_t bit_bytes_;
  std::atomic<std::size_t> pivots_{0};
  std::atomic<std::size_t> entries_{0};
  std::mutex writing_;
  std::array<std::atomic<BlockOf*>, kBlocks> blocks_{};
};

}  // namespace engram
