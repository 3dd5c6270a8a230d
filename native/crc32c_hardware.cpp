// CRC-32C by the processor's instruction. This file is compiled with flags of its own; crc32c.cpp asks the CPU whether
// its code may run.
//
// Everything here is static and calls no inline function of other files, for the reason given in kernels/common.hpp.
#include <cstring>

#include "crc32c.hpp"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace engram {

#if defined(__x86_64__) || (defined(__aarch64__) && defined(__ARM_FEATURE_CRC32))
namespace {

#if defined(__x86_64__)
using Register = std::uint64_t;  // The instruction clears the upper half.

static inline Register add_word(Register crc, std::uint64_t word) { return _mm_crc32_u64(crc, word); }
static inline Register add_byte(Register crc, std::uint8_t byte) {
  return _mm_crc32_u8(static_cast<std::uint32_t>(crc), byte);
}
#else
using Register = std::uint32_t;

static inline Register add_word(Register crc, std::uint64_t word) { return __crc32cd(crc, word); }
static inline Register add_byte(Register crc, std::uint8_t byte) { return __crc32cb(crc, byte); }
#endif

static inline std::uint64_t word_at(const std::uint8_t* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

static std::uint32_t one(std::uint32_t crc, const std::uint8_t* data, std::size_t bytes) {
  Register r = crc;
  std::size_t i = 0;
  for (; i + 8 <= bytes; i += 8) r = add_word(r, word_at(data + i));
  for (; i < bytes; ++i) r = add_byte(r, data[i]);
  return static_cast<std::uint32_t>(r);
}

static void three(std::uint32_t* crcs, const std::uint8_t* const* blocks, std::size_t bytes) {
  const std::uint8_t *a = blocks[0], *b = blocks[1], *c = blocks[2];
  Register ra = crcs[0], rb = crcs[1], rc = crcs[2];
  std::size_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    ra = add_word(ra, word_at(a + i));
    rb = add_word(rb, word_at(b + i));
    rc = add_word(rc, word_at(c + i));
  }
  crcs[0] = one(static_cast<std::uint32_t>(ra), a + i, bytes - i);
  crcs[1] = one(static_cast<std::uint32_t>(rb), b + i, bytes - i);
  crcs[2] = one(static_cast<std::uint32_t>(rc), c + i, bytes - i);
}

constexpr Crc32cPath kHardware{one, three};

}  // namespace

const Crc32cPath* hardware_crc32c_compiled() { return &kHardware; }
#else
const Crc32cPath* hardware_crc32c_compiled() { return nullptr; }
#endif

}  // namespace engram
