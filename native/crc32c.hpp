// CRC-32C (Castagnoli): the checksum of everything that Engram stores.
//
// One sum is a chain of instructions that wait for each other, so one block at a time leaves most of the processor
// idle. Several blocks are therefore summed side by side.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram {

// Whether what is read is compared with its checksum. Builds without serve to measure what that costs.
#ifdef ENGRAM_UNCHECKED
inline constexpr bool kChecksReads = false;
#else
inline constexpr bool kChecksReads = true;
#endif

// The sum of `bytes` bytes; `seed` is the sum of what came before, as in the Python package `crc32c`.
std::uint32_t crc32c(const void* data, std::size_t bytes, std::uint32_t seed = 0);

// Sums `count` blocks of `bytes` bytes each. sums[i] is the seed of blocks[i] before, and its sum afterwards.
void crc32c_blocks(const std::uint8_t* const* blocks, std::size_t count, std::size_t bytes, std::uint32_t* sums);

// A way to sum, over registers that are not inverted yet.
struct Crc32cPath {
  std::uint32_t (*one)(std::uint32_t crc, const std::uint8_t* data, std::size_t bytes);
  // Three blocks of equal length, side by side.
  void (*three)(std::uint32_t* crcs, const std::uint8_t* const* blocks, std::size_t bytes);
};

// What the compiler's target has an instruction for, whether or not this CPU can run it; else null.
const Crc32cPath* hardware_crc32c_compiled();

}  // namespace engram
