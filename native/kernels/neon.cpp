// Kernels for 64-bit ARM. NEON is part of the base architecture there, so no check at run time is needed.
#include "kernels.hpp"

#if defined(__aarch64__)

#include <arm_neon.h>

#include "common.hpp"

namespace engram {
namespace {

std::uint32_t hamming(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
  std::uint32_t count = 0;
  std::size_t i = 0;
  for (; i + 16 <= bytes; i += 16) count += vaddlvq_u8(vcntq_u8(veorq_u8(vld1q_u8(a + i), vld1q_u8(b + i))));
  if (i < bytes) count += vaddlv_u8(vcnt_u8(veor_u8(vld1_u8(a + i), vld1_u8(b + i))));
  return count;
}

void hamming_rows(const std::uint8_t* query, const std::uint8_t* const* rows, std::size_t n, std::size_t bytes,
                  std::uint32_t* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = hamming(query, rows[i], bytes);
}

void hamming_block(const std::uint8_t* query, const std::uint8_t* block, std::size_t stride, std::size_t n,
                   std::size_t bytes, std::uint32_t* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = hamming(query, block + i * stride, bytes);
}

void plane_rows(const std::uint8_t* planes, const std::uint8_t* const* rows, std::size_t n, std::size_t bytes,
                std::int32_t* out) {
  for (std::size_t r = 0; r < n; ++r) {
    std::int32_t weighted = 0;
    std::int32_t set = 0;
    for (std::size_t i = 0; i < bytes; i += 8) {
      const uint8x8_t row = vld1_u8(rows[r] + i);
      set += vaddlv_u8(vcnt_u8(row));
      for (int b = 0; b < kPlanes; ++b) {
        weighted += static_cast<std::int32_t>(vaddlv_u8(vcnt_u8(vand_u8(row, vld1_u8(planes + b * bytes + i))))) << b;
      }
    }
    out[r] = 2 * weighted - 15 * set;
  }
}

void dot_rows(const std::int8_t* query, std::int32_t, const std::uint8_t* const* rows, std::size_t n, std::size_t dim,
              std::int32_t* out) {
  const uint8x16_t flip = vdupq_n_u8(0x80);
  for (std::size_t r = 0; r < n; ++r) {
    int32x4_t sum = vdupq_n_s32(0);
    for (std::size_t i = 0; i < dim; i += 16) {
      const int8x16_t row = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(rows[r] + i), flip));
      const int8x16_t q = vld1q_s8(query + i);
      sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(row), vget_low_s8(q)));
      sum = vpadalq_s16(sum, vmull_s8(vget_high_s8(row), vget_high_s8(q)));
    }
    out[r] = vaddvq_s32(sum);
  }
}

float dot_f32(const float* a, const float* b, std::size_t dim) {
  float32x4_t s = vdupq_n_f32(0.0F);
  std::size_t i = 0;
  for (; i + 4 <= dim; i += 4) s = vfmaq_f32(s, vld1q_f32(a + i), vld1q_f32(b + i));
  float sum = vaddvq_f32(s);
  for (; i < dim; ++i) sum += a[i] * b[i];
  return sum;
}

float l2_f32(const float* a, const float* b, std::size_t dim) {
  float32x4_t s = vdupq_n_f32(0.0F);
  std::size_t i = 0;
  for (; i + 4 <= dim; i += 4) {
    const float32x4_t d = vsubq_f32(vld1q_f32(a + i), vld1q_f32(b + i));
    s = vfmaq_f32(s, d, d);
  }
  float sum = vaddvq_f32(s);
  for (; i < dim; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

// Coding uses the portable kernels: it is a small part of the work, and the compiler vectorises their code well for
// NEON.
Kernels make() {
  Kernels k = *portable_kernels();
  k.name = "neon";
  k.hamming_rows = hamming_rows;
  k.hamming_block = hamming_block;
  k.plane_rows = plane_rows;
  k.dot_rows = dot_rows;
  k.dot_f32 = dot_f32;
  k.l2_f32 = l2_f32;
  return k;
}

}  // namespace

const Kernels* neon_kernels_compiled() {
  static const Kernels neon = make();
  return &neon;
}

}  // namespace engram

#else

namespace engram {
const Kernels* neon_kernels_compiled() { return nullptr; }
}  // namespace engram

#endif
