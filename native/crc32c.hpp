// CRC-32C (Castagnoli): the checksum of everything that Engram stores.
//
// Each instruction of one checksum waits for the result of the one before, so summing one block at a time leaves most
// of the processor idle. Several blocks are therefore summed side by side.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram {

// Whether bytes are compared with their checksums when they are read. Builds with ENGRAM_UNCHECKED omit this, to
// measure what the checks cost.
#ifdef ENGRAM_UNCHECKED
inline constexpr bool kChecksReads = false;
#else
inline constexpr bool kChecksReads = true;
#endif

// Returns the checksum of `bytes` bytes. `seed` is the checksum of the bytes before them, as in the Python package
// `crc32c`.
std::uint32_t crc32c(const void* data, std::size_t bytes, std::uint32_t seed = 0);

// Computes the checksums of `count` blocks of `bytes` bytes each. sums[i] holds the seed of blocks[i] before the call,
// and the checksum of blocks[i] afterwards.
void crc32c_blocks(const std::uint8_t* const* blocks, std::size_t count, std::size_t bytes, std::uint32_t* sums);

// An implementation of the checksum. It takes and returns the plain register; the caller inverts the bits before and
// after.
struct Crc32cPath {
  std::uint32_t (*one)(std::uint32_t crc, const std::uint8_t* data, std::size_t bytes);
  // Advances the registers of three blocks of equal length, side by side.
  void (*three)(std::uint32_t* crcs, const std::uint8_t* const* blocks, std::size_t bytes);
};

// Returns the implementation by the checksum instruction of the compiler's target, whether or not this CPU can run it;
// null if the target has no such instruction.
const Crc32cPath* hardware_crc32c_compiled();

}  // namespace engram
