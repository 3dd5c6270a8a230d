#include "slot_table.hpp"

#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include <sys/mman.h>

namespace engram {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Chunks that are allocated at a time, once a space has outgrown its first chunk.
constexpr std::size_t kSlabChunks = 8;

}  // namespace

Block::Block(std::size_t bytes, bool huge) : mapped_bytes_(huge ? bytes + kHugePage : bytes) {
  mapping_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::uint8_t*>(mapping_);
  if (!huge) return;
  data_ += round_up(reinterpret_cast<std::uintptr_t>(data_), kHugePage) - reinterpret_cast<std::uintptr_t>(data_);
#if defined(MADV_HUGEPAGE)
  // If the kernel refuses, that costs speed, not correctness.
  static_cast<void>(madvise(data_, bytes, MADV_HUGEPAGE));
#endif
}

Block::Block(int file, std::size_t offset, std::size_t bytes) : mapped_bytes_(bytes) {
  mapping_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, static_cast<off_t>(offset));
  if (mapping_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "cannot map the checkpoint");
  data_ = static_cast<std::uint8_t*>(mapping_);
  try {
    guard_ = GuardedRange(mapping_, mapped_bytes_, true);
  } catch (...) {
    munmap(mapping_, mapped_bytes_);
    throw;
  }
}

Block::Block(Block&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)),
      guard_(std::move(other.guard_)) {}

Block& Block::operator=(Block&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(guard_, other.guard_);
  return *this;
}

Block::~Block() {
  guard_ = GuardedRange();
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

SlotTable::Layout SlotTable::make_layout(const Codec& codec, std::size_t degree_max) {
  Layout l{};
  l.bit_stride = codec.bit_row_bytes();
  l.code_stride = codec.code_row_bytes();
  l.link_stride = round_up((degree_max + 1) * sizeof(Link), 64);
  l.codes = kChunkSlots * l.bit_stride;
  l.links = l.codes + kChunkSlots * l.code_stride;
  l.born = l.links + kChunkSlots * l.link_stride;
  l.died = l.born + kChunkSlots * sizeof(Generation);
  l.saved_bytes = round_up(l.died + kChunkSlots * sizeof(Generation), kPage);
  l.sums = kChunkSlots * sizeof(RawVector);
  l.locks = l.sums + kChunkSlots * sizeof(std::uint32_t);
  l.linked = l.locks + kChunkSlots;
  l.volatile_bytes = round_up(l.linked + kChunkSlots, kPage);
  return l;
}

SlotTable::SlotTable(const Codec& codec, std::size_t degree_max)
    : degree_max_(degree_max),
      bits_steer_(codec.bits_steer()),
      layout_(make_layout(codec, degree_max)),
      saved_table_(kChunksMax * sizeof(Base), false),
      bits_table_(kChunksMax * sizeof(Base), false),
      volatile_table_(kChunksMax * sizeof(Base), false) {}

void SlotTable::reserve(std::size_t count) {
  if (count > kSlotMax) throw std::length_error("the index is full: it holds at most 2^31 - 2 vectors");
  while (capacity() < count) {
    if (spare_chunks_ == 0) {
      // The first chunk uses small pages, so that a space with few vectors takes little memory.
      const bool first = capacity() == 0;
      spare_chunks_ = first ? 1 : kSlabChunks;
      blocks_.push_back(first ? Block(layout_.saved_bytes, false) : next_slab());
      spare_ = blocks_.back().data();
    }
    add_chunk(spare_, spare_);
    spare_ += layout_.saved_bytes;
    --spare_chunks_;
  }
}

Block SlotTable::next_slab() {
  {
    const std::lock_guard guard(preparing_);
    if (prepared_.has_value()) {
      Block ready = std::move(*prepared_);
      prepared_.reset();
      return ready;
    }
  }
  return {kSlabChunks * layout_.saved_bytes, true};
}

void SlotTable::prepare(std::size_t used) {
  const std::size_t slab_slots = kSlabChunks << kChunkBits;
  if (used <= kChunkSlots || capacity() > used + slab_slots / 2) return;
  // If another thread is preparing a slab already, this one leaves it to that thread.
  if (touching_.exchange(true, std::memory_order_acquire)) return;
  if (!has_prepared()) {
    const std::size_t bytes = kSlabChunks * layout_.saved_bytes;
    try {
      Block slab(bytes, true);
      for (std::size_t i = 0; i < bytes; i += kPage) slab.data()[i] = 0;
      const std::lock_guard guard(preparing_);
      prepared_ = std::move(slab);
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch)
      // Preparing is optional. The writer reports a lack of memory when it needs memory.
    }
  }
  touching_.store(false, std::memory_order_release);
}

bool SlotTable::has_prepared() {
  const std::lock_guard guard(preparing_);
  return prepared_.has_value();
}

void SlotTable::copy_block(Slot first, Slot last, const Link* lists, Generation generation, std::uint8_t* image) const {
  const std::size_t n = last - first;
  std::memset(image, 0, layout_.saved_bytes);
  std::memcpy(image, bits(first), n * layout_.bit_stride);
  std::memcpy(image + layout_.codes, codes(first), n * layout_.code_stride);
  for (std::size_t i = 0; i < n; ++i) {
    const Slot slot = first + static_cast<Slot>(i);
    const Link* list = lists + i * (degree_max_ + 1);
    std::memcpy(image + layout_.links + i * layout_.link_stride, list, (list[0] + 1) * sizeof(Link));
    const Generation born_at = born(slot).load(std::memory_order_relaxed);
    const Generation died_at = died(slot).load(std::memory_order_acquire);
    const Generation saved_death = died_at <= generation ? died_at : 0;
    std::memcpy(image + layout_.born + i * sizeof(Generation), &born_at, sizeof born_at);
    std::memcpy(image + layout_.died + i * sizeof(Generation), &saved_death, sizeof saved_death);
    if (!is_erased(slot)) continue;
    std::memset(image + i * layout_.bit_stride, 0, layout_.bit_stride);
    std::memset(image + layout_.codes + i * layout_.code_stride, 0, layout_.code_stride);
  }
}

void SlotTable::adopt(std::vector<Block>&& saved) {
  adopted_ = std::move(saved);
  const std::size_t chunk_bytes = kChunkSlots * layout_.bit_stride;
  // A smaller index would take a huge page all the same, and needs few pages.
  if (!bits_steer_ || adopted_.size() * chunk_bytes < kHugePage) {
    for (const Block& block : adopted_) add_chunk(block.data(), block.data());
    return;
  }
  blocks_.emplace_back(adopted_.size() * chunk_bytes, true);
  std::uint8_t* copy = blocks_.back().data();
  for (const Block& block : adopted_) {
    std::memcpy(copy, block.data(), chunk_bytes);
    // The pages of the file are not used again, so that the copy takes no more memory than these did.
    static_cast<void>(madvise(block.data(), chunk_bytes, MADV_DONTNEED));
    add_chunk(block.data(), copy);
    copy += chunk_bytes;
  }
}

std::uint64_t SlotTable::lost_pages() const {
  std::uint64_t lost = 0;
  for (const Block& block : adopted_) lost += block.lost_pages();
  return lost;
}

void SlotTable::add_chunk(std::uint8_t* saved, std::uint8_t* bits) {
  const std::size_t chunk = capacity() >> kChunkBits;
  Block process(layout_.volatile_bytes, false);
  base(saved_table_, chunk).store(saved, std::memory_order_release);
  base(bits_table_, chunk).store(bits, std::memory_order_release);
  base(volatile_table_, chunk).store(process.data(), std::memory_order_release);
  blocks_.push_back(std::move(process));
  capacity_.store((chunk + 1) << kChunkBits, std::memory_order_release);
}

}  // namespace engram
