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

// One half to a float: shift the fields into place and let a multiplication renormalise (exact, also for subnormals).
static inline float widen_half(std::uint16_t half) {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7FFFU) << 13;
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  std::uint32_t bits = magnitude;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  value *= 0x1p112F;
  std::memcpy(&bits, &value, sizeof bits);
  // What was infinite or no number in half precision stays it.
  if (magnitude >= 0x0F800000U) bits = 0x7F800000U | magnitude;
  bits |= sign;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

static inline std::uint64_t load_u64(const std::uint8_t* p) {
  std::uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace engram
