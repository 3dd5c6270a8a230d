// The memory of the index: chunks with a fixed number of slots, reached through a table of base addresses.
//
// A chunk never moves, so readers need no lock while the table grows. Each chunk has two blocks. The first holds what a
// checkpoint saves (codes, links, generations), with the same layout as on the disk, so loading means mapping. The
// second holds what belongs to the process only (addresses and checksums of raw vectors, locks). Of a mapped block of a
// larger index, the sign bits are copied to huge pages, which files do not have: a walk or a scan meets them at random,
// and would look up the address of a page for nearly each row.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <vector>

#include "bus_guard.hpp"
#include "codec.hpp"
#include "raw_vector.hpp"
#include "types.hpp"

namespace engram {

// A link to a neighbour: the slot, and in the top bit whether the neighbour hangs on this node (see graph.hpp).
using Link = std::uint32_t;

// Lists are plain memory. Readers and the holder of a node's lock share them through these two operations only. The
// holder may read its list directly, because no other thread writes it. (std::atomic_ref would do the same, but not
// every compiler has it.)
inline Link load_link(const Link* link) { return __atomic_load_n(link, __ATOMIC_ACQUIRE); }
// NOLINTNEXTLINE(readability-non-const-parameter): the built-in writes through the pointer.
inline void store_link(Link* link, Link value) { __atomic_store_n(link, value, __ATOMIC_RELEASE); }

static_assert(std::atomic<Generation>::is_always_lock_free && sizeof(std::atomic<Generation>) == sizeof(Generation));
static_assert(std::atomic<RawVector>::is_always_lock_free && sizeof(std::atomic<RawVector>) == sizeof(RawVector));

// The memory of a block: allocated, or a private mapping of a part of a checkpoint file.
class Block {
 public:
  Block() = default;
  // Zeroed memory that costs nothing until it is touched. `huge` aligns it for huge pages and asks for them: walks
  // access memory at random, and huge pages save most of the address translation.
  Block(std::size_t bytes, bool huge);
  // Maps `bytes` bytes of the open file at `offset`. Writes stay private to the process. Pages that cannot be read
  // become zeros (see bus_guard.hpp).
  Block(int file, std::size_t offset, std::size_t bytes);
  Block(Block&& other) noexcept;
  Block& operator=(Block&& other) noexcept;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block();

  std::uint8_t* data() const { return data_; }
  std::uint64_t lost_pages() const { return guard_.lost_pages(); }

 private:
  std::uint8_t* data_ = nullptr;
  void* mapping_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  GuardedRange guard_;  // Guards a mapped file.
};

class SlotTable {
 public:
  static constexpr std::size_t kChunkBits = 12;
  static constexpr std::size_t kChunkSlots = std::size_t{1} << kChunkBits;
  static constexpr std::size_t kChunksMax = (std::size_t{kSlotMax} >> kChunkBits) + 1;

  SlotTable(const Codec& codec, std::size_t degree_max);

  // Makes room for the slots [0, count). Only the writer calls it.
  void reserve(std::size_t count);
  // Allocates and touches the next slab, if `used` slots leave little room and no slab is ready yet. Any thread may
  // call it. The kernel takes longer to provide fresh memory than the writer to fill it, so other threads prepare it in
  // advance.
  void prepare(std::size_t used);
  // Takes over mapped blocks as the chunks of an empty table.
  void adopt(std::vector<Block>&& saved);

  std::size_t degree_max() const { return degree_max_; }
  std::size_t saved_block_bytes() const { return layout_.saved_bytes; }
  // Writes the saved block of the slots [first, last) of one chunk to `image`. The lists come from `lists` (degree_max
  // + 1 links per slot). Deaths after `generation` are left out, because they may not be durable yet.
  void copy_block(Slot first, Slot last, const Link* lists, Generation generation, std::uint8_t* image) const;
  std::size_t bytes_per_slot() const { return (layout_.saved_bytes + layout_.volatile_bytes) / kChunkSlots; }
  std::size_t capacity() const { return capacity_.load(std::memory_order_acquire); }
  // The memory in use, if the slots [0, used) are. The first chunk takes memory page by page, the others as a whole.
  std::size_t nbytes(std::size_t used) const {
    return (capacity() <= kChunkSlots ? std::min(used, capacity()) : capacity()) * bytes_per_slot();
  }
  // Pages of adopted blocks that could not be read.
  std::uint64_t lost_pages() const;

  std::uint8_t* bits(Slot s) const { return bits_base(s >> kChunkBits) + within(s) * layout_.bit_stride; }
  std::uint8_t* codes(Slot s) const {
    return saved_base(s >> kChunkBits) + layout_.codes + within(s) * layout_.code_stride;
  }
  // links(s)[0] is the number of links, and the links follow. Threads share lists: use load_link and store_link.
  Link* links(Slot s) const {
    return reinterpret_cast<Link*>(saved_base(s >> kChunkBits) + layout_.links + within(s) * layout_.link_stride);
  }
  std::atomic<Generation>& born(Slot s) const { return generation_at(s, layout_.born); }
  // The generation at which the version ended; 0 while it is live.
  std::atomic<Generation>& died(Slot s) const { return generation_at(s, layout_.died); }
  // Whether the version ended at its own birth: then there must be nothing left of its vector.
  bool is_erased(Slot s) const {
    return died(s).load(std::memory_order_acquire) == born(s).load(std::memory_order_acquire);
  }

  std::atomic<RawVector>& raw(Slot s) const {
    return reinterpret_cast<std::atomic<RawVector>*>(volatile_base(s >> kChunkBits))[within(s)];
  }
  // The checksum of the raw vector's bytes. It is written before the slot is published.
  std::atomic<std::uint32_t>& sum(Slot s) const {
    return reinterpret_cast<std::atomic<std::uint32_t>*>(volatile_base(s >> kChunkBits) + layout_.sums)[within(s)];
  }
  std::atomic<std::uint8_t>& lock(Slot s) const {
    return reinterpret_cast<std::atomic<std::uint8_t>*>(volatile_base(s >> kChunkBits) + layout_.locks)[within(s)];
  }

  // Whether the slot is linked completely. Linking that was interrupted is resumed slot by slot.
  std::atomic<std::uint8_t>& linked(Slot s) const {
    return reinterpret_cast<std::atomic<std::uint8_t>*>(volatile_base(s >> kChunkBits) + layout_.linked)[within(s)];
  }

  std::size_t bit_stride() const { return layout_.bit_stride; }
  std::size_t code_stride() const { return layout_.code_stride; }

 private:
  // Offsets of the columns in the two blocks of a chunk.
  struct Layout {
    std::size_t bit_stride, code_stride, link_stride;
    std::size_t codes, links, born, died, saved_bytes;
    std::size_t sums, locks, linked, volatile_bytes;
  };
  static Layout make_layout(const Codec& codec, std::size_t degree_max);

  static std::size_t within(Slot s) { return s & (kChunkSlots - 1); }
  using Base = std::atomic<std::uint8_t*>;
  static Base& base(const Block& table, std::size_t chunk) { return reinterpret_cast<Base*>(table.data())[chunk]; }
  std::uint8_t* saved_base(std::size_t chunk) const {
    return base(saved_table_, chunk).load(std::memory_order_acquire);
  }
  std::uint8_t* bits_base(std::size_t chunk) const { return base(bits_table_, chunk).load(std::memory_order_acquire); }
  std::uint8_t* volatile_base(std::size_t chunk) const {
    return base(volatile_table_, chunk).load(std::memory_order_acquire);
  }
  std::atomic<Generation>& generation_at(Slot s, std::size_t column) const {
    return reinterpret_cast<std::atomic<Generation>*>(saved_base(s >> kChunkBits) + column)[within(s)];
  }
  Block next_slab();
  bool has_prepared();
  // Puts a chunk into use. `saved` is its part of a block that the table owns, and `bits` is where its sign bits are.
  void add_chunk(std::uint8_t* saved, std::uint8_t* bits);

  std::size_t degree_max_;
  bool bits_steer_;
  Layout layout_;
  // Tables of base addresses, with one entry per possible chunk. They reserve address space, and only the used
  // beginning is ever touched.
  Block saved_table_;
  Block bits_table_;
  Block volatile_table_;
  std::atomic<std::size_t> capacity_{0};
  std::vector<Block> blocks_;
  std::vector<Block> adopted_;
  std::uint8_t* spare_ = nullptr;  // Unused chunks of the newest slab.
  std::size_t spare_chunks_ = 0;
  std::mutex preparing_;
  std::atomic<bool> touching_{false};
  std::optional<Block> prepared_;  // The next slab, already touched.
};

}  // namespace engram
