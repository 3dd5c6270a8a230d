// The entry points of walks: a sample of all slots in two levels, pivots and the entries in the pivots' buckets (our
// own, see docs/decisions/0003 and 0007).
//
// A walk starts from the entry points nearest to its query. All pivots are scanned, then the buckets of the nearest few
// pivots, so a scan of a thousand rows selects from about twenty times as many. This saves the first hops of a walk
// and, in small tables of diverse vectors, keeps the walk from getting stuck on the way. Pivots become sparser as the
// table grows: there are 200 at ten thousand slots and 900 at a million. Readers take no lock: pivots and entries are
// appended to memory that never moves, and counters publish them.
//
// What is near is told by sign bits, or by short codes where vectors have them: in few dimensions most vectors have the
// same few signs, and a walk along a line takes one step for each vector on it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "codec.hpp"
#include "geometry.hpp"
#include "types.hpp"

namespace engram {

class EntryTable {
 public:
  // The role of a slot in the table. It depends on the slot's number only, so a reload gives the same table.
  enum class Role : std::uint8_t { kNone, kPivot, kEntry };
  static constexpr std::size_t kNearest = 4;
  // The first kSeeds slots are all pivots, because walks in a small graph have no other slots to start from.
  static constexpr Slot kSeeds = 64;

  // The slots from which a walk starts, nearest first, and the nearest pivot.
  struct Start {
    Slot slots[kNearest];
    std::size_t count = 0;
    std::size_t pivot = 0;
  };

  // Both must outlive the table.
  EntryTable(const Codec& codec, const Geometry& geometry)
      : codec_(codec), geometry_(geometry), row_bytes_(codec.is_short() ? sizeof(ShortCode) : codec.bit_bytes()) {}
  EntryTable(const EntryTable&) = delete;
  EntryTable& operator=(const EntryTable&) = delete;
  ~EntryTable();

  static Role role(Slot slot);

  // Adds a slot that has a role. `pivot` is the pivot nearest to the slot: an entry goes to its bucket, and is left out
  // if the bucket is full.
  void add(Slot slot, Role role, const std::uint8_t* row, std::size_t pivot);
  // Returns where the walk to a query begins; `row` is the query's entry row (see Codec).
  Start nearest(const std::uint8_t* row) const { return nearest(row, false); }
  // Returns where the walk to a stored vector begins.
  Start nearest_to_stored(const std::uint8_t* row) const { return nearest(row, true); }
  std::size_t size() const {
    return pivots_.load(std::memory_order_acquire) + entries_.load(std::memory_order_acquire);
  }
  void for_each(const std::function<void(Slot)>& visit) const;
  std::size_t nbytes() const;

 private:
  static constexpr std::size_t kBucketMax = 32;
  static constexpr std::size_t kBuckets = 8;  // How many of the nearest pivots have their buckets scanned.
  struct Bucket {
    std::atomic<std::size_t> count{0};
    Slot slots[kBucketMax];
    std::unique_ptr<std::uint8_t[]> rows;
  };
  struct BlockOf {
    std::unique_ptr<std::uint8_t[]> rows;
    std::unique_ptr<Slot[]> slots;
    std::unique_ptr<Bucket[]> buckets;
  };
  // Block b holds kFirstBlock << b pivots, so 24 blocks hold more pivots than there can be slots.
  static constexpr std::size_t kFirstBlock = 256;
  static constexpr std::size_t kBlocks = 24;

  // Returns the block of a pivot, and the position of the pivot in that block.
  std::pair<std::size_t, std::size_t> place(std::size_t pivot) const;
  void add_pivot(Slot slot, const std::uint8_t* row);
  void add_entry(Slot slot, const std::uint8_t* row, std::size_t pivot);
  Start nearest(const std::uint8_t* row, bool stored) const;
  // Writes the distances of `n` rows that lie one after another.
  void measure(const std::uint8_t* row, bool stored, const std::uint8_t* others, std::size_t n,
               std::uint32_t* out) const;

  const Codec& codec_;
  const Geometry& geometry_;
  std::size_t row_bytes_;
  std::atomic<std::size_t> pivots_{0};
  std::atomic<std::size_t> entries_{0};
  std::mutex writing_;
  std::array<std::atomic<BlockOf*>, kBlocks> blocks_{};
};

}  // namespace engram
