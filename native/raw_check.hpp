// Raw vectors lie in files, so each one is compared with the checksum in its slot before it is used.
#pragma once

#include <cstddef>
#include <cstdint>

#include "raw_vector.hpp"
#include "slot_table.hpp"
#include "types.hpp"

namespace engram {

// How many vectors are checked together. Their checksums are computed side by side (see crc32c.hpp); more vectors would
// evict one another from the nearest cache before they are used.
inline constexpr std::size_t kRawGroup = 6;

// Writes the checksums of `n` rows of `bytes` bytes each that follow one another from `rows` on, which may be any
// address.
void sum_rows(const void* rows, std::size_t n, std::size_t bytes, std::uint32_t* sums);
std::uint32_t sum_of(RawVector raw, std::size_t dim);

// Sets sound[i] to whether the raw vector of slots[i] equals the one that was appended. `n` is at most kRawGroup.
void check_raw(const SlotTable& table, std::size_t dim, const Slot* slots, std::size_t n, bool* sound);
bool is_sound(const SlotTable& table, std::size_t dim, Slot slot);

}  // namespace engram
