// The parts of the kernels that do not depend on the instruction set.
//
// The float sums keep 16 partial sums, element i going to partial i % 16, and add them in a fixed tree. A 16-lane, two
// 8-lane and four 4-lane registers all hold exactly these partials, so every path gets the same bits.
//
// Everything here is static: each path is compiled with flags of its own, and a shared inline function would let the
// linker hand AVX-512 code to a CPU without it. For the same reason the CPU is asked in kernels.cpp only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace engram {

inline constexpr std::size_t kPartials = 16;

static inline float sum_partials(const float* p) {
  float eight[8];
  for (int i = 0; i < 8; ++i) eight[i] = p[i] + p[i + 8];
  const float a = eight[0] + eight[4], b = eight[1] + eight[5], c = eight[2] + eight[6], d = eight[3] + eight[7];
  return (a + c) + (b + d);
}

// The stages of the transform whose butterflies are `stride_min` or more apart: plain loops that compilers vectorise.
static inline void fwht_wide_stages(float* x, std::size_t n, std::size_t stride_min) {
  for (std::size_t h = stride_min; h < n; h *= 2) {
    for (std::size_t i = 0; i < n; i += 2 * h) {
      float* __restrict low = x + i;
      float* __restrict high = x + i + h;
      for (std::size_t j = 0; j < h; ++j) {
        const float a = low[j];
        const float b = high[j];
        low[j] = a + b;
        high[j] = a - b;
      }
    }
  }
}

static inline std::uint64_t load_u64(const std::uint8_t* p) {
  std::uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace engram
