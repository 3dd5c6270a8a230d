// Which bytes are among some, with the instructions of AVX2, which both x86 paths have.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "common.hpp"

namespace engram {
// Each path has its own, compiled for its CPUs: the linker must not take one for all.
namespace {

// The bytes that are wanted: the lower four bits of a byte select an entry of a table, and the upper four a bit of it.
class WantedBytes {
 public:
  explicit WantedBytes(const std::uint32_t* wanted) {
    alignas(16) std::uint8_t lower[16] = {};
    alignas(16) std::uint8_t upper[16] = {};
    for (unsigned byte = 0; byte < 128; ++byte) {
      const auto bit = static_cast<std::uint8_t>(1U << (byte / 16));
      if (is_set(wanted, byte)) lower[byte % 16] |= bit;
      if (is_set(wanted, byte + 128)) upper[byte % 16] |= bit;
    }
    lower_ = table_of(lower);
    upper_ = table_of(upper);
  }

  // Which of 32 bytes are.
  std::uint32_t of(__m256i bytes) const {
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i column = _mm256_and_si256(bytes, nibble);
    const __m256i bit = _mm256_shuffle_epi8(bits_, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
    // The highest bit of each byte selects the table.
    const __m256i entry =
        _mm256_blendv_epi8(_mm256_shuffle_epi8(lower_, column), _mm256_shuffle_epi8(upper_, column), bytes);
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(entry, bit), bit)));
  }

 private:
  static bool is_set(const std::uint32_t* wanted, unsigned number) {
    return (wanted[number / 32] >> number % 32 & 1) != 0;
  }
  static __m256i table_of(const std::uint8_t* entries) {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(entries)));
  }

  __m256i lower_;
  __m256i upper_;
  const __m256i bits_ = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ULL));
};

inline void wanted_u8(const std::uint8_t* numbers, std::size_t n, const std::uint32_t* wanted, std::uint64_t* out) {
  const WantedBytes sought(wanted);
  std::size_t first = 0;
  for (; first + 64 <= n; first += 64) {
    const auto* bytes = reinterpret_cast<const __m256i*>(numbers + first);
    const std::uint32_t low = sought.of(_mm256_loadu_si256(bytes));
    out[first / 64] = low | static_cast<std::uint64_t>(sought.of(_mm256_loadu_si256(bytes + 1))) << 32;
  }
  wanted_each_u8(numbers + first, n - first, wanted, out + first / 64);
}

}  // namespace
}  // namespace engram
