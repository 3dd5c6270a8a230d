// Raw vectors lie in files, so each is compared with the checksum that its slot keeps before it is used.
#pragma once

#include <cstddef>
#include <cstdint>

#include "raw_vector.hpp"
#include "slot_table.hpp"
#include "types.hpp"

namespace engram {

// Checksums go side by side (see crc32c.hpp); more vectors at once would push one another out of the nearest cache
// before they are used.
inline constexpr std::size_t kRawGroup = 6;

// The checksums of `n` rows of `bytes` bytes each that follow one another from `rows` on, at whatever address.
void sum_rows(const void* rows, std::size_t n, std::size_t bytes, std::uint32_t* sums);
std::uint32_t sum_of(RawVector raw, std::size_t dim);

// sound[i]: whether the raw vector of slots[i] is what was appended; at most kRawGroup of them.
void check_raw(const SlotTable& table, std::size_t dim, const Slot* slots, std::size_t n, bool* sound);
bool is_sound(const SlotTable& table, std::size_t dim, Slot slot);

}  // namespace engram
