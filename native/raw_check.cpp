#include "raw_check.hpp"

#include <algorithm>

#include "crc32c.hpp"

namespace engram {
namespace {

constexpr std::size_t kBatch = 48;

const std::uint8_t* bytes_of(RawVector raw) { return reinterpret_cast<const std::uint8_t*>(raw.address()); }

}  // namespace

void sum_rows(const void* first, std::size_t n, std::size_t bytes, std::uint32_t* sums) {
  const auto* begin = static_cast<const std::uint8_t*>(first);
  const std::uint8_t* rows[kBatch];
  for (std::size_t done = 0; done < n; done += kBatch) {
    const std::size_t count = std::min(kBatch, n - done);
    for (std::size_t i = 0; i < count; ++i) rows[i] = begin + (done + i) * bytes;
    std::fill_n(sums + done, count, 0U);
    crc32c_blocks(rows, count, bytes, sums + done);
  }
}

std::uint32_t sum_of(RawVector raw, std::size_t dim) { return crc32c(bytes_of(raw), raw.nbytes(dim)); }

void check_raw(const SlotTable& table, std::size_t dim, const Slot* slots, std::size_t n, bool* sound) {
  if constexpr (!kChecksReads) {
    std::fill_n(sound, n, true);
    return;
  }
  RawVector raw[kRawGroup];
  for (std::size_t i = 0; i < n; ++i) raw[i] = table.raw(slots[i]).load(std::memory_order_acquire);
  // Only vectors of one length can be summed side by side, so float32 and float16 vectors are checked separately.
  for (const bool half : {false, true}) {
    const std::uint8_t* blocks[kRawGroup];
    std::size_t which[kRawGroup];
    std::uint32_t sums[kRawGroup] = {};
    std::size_t count = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (raw[i].half() != half) continue;
      blocks[count] = bytes_of(raw[i]);
      which[count++] = i;
    }
    if (count == 0) continue;
    crc32c_blocks(blocks, count, raw[which[0]].nbytes(dim), sums);
    for (std::size_t j = 0; j < count; ++j) {
      sound[which[j]] = sums[j] == table.sum(slots[which[j]]).load(std::memory_order_relaxed);
    }
  }
}

bool is_sound(const SlotTable& table, std::size_t dim, Slot slot) {
  bool sound = false;
  check_raw(table, dim, &slot, 1, &sound);
  return sound;
}

}  // namespace engram
