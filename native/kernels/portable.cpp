// Kernels in plain C++. They run on any CPU and define what the other paths must compute.
#include <algorithm>
#include <bit>
#include <cmath>

#include "common.hpp"
#include "kernels.hpp"

namespace engram {
namespace {

std::uint32_t hamming(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < bytes; i += 8) count += std::popcount(load_u64(a + i) ^ load_u64(b + i));
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
      const std::uint64_t row = load_u64(rows[r] + i);
      set += std::popcount(row);
      for (int b = 0; b < kPlanes; ++b) weighted += std::popcount(row & load_u64(planes + b * bytes + i)) << b;
    }
    out[r] = 2 * weighted - 15 * set;
  }
}

void dot_rows(const std::int8_t* query, std::int32_t query_sum, const std::uint8_t* const* rows, std::size_t n,
              std::size_t dim, std::int32_t* out) {
  for (std::size_t r = 0; r < n; ++r) {
    const std::uint8_t* row = rows[r];
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < dim; ++i) sum += static_cast<std::int32_t>(row[i]) * query[i];
    out[r] = sum - 128 * query_sum;
  }
}

std::int32_t unbias(const std::uint8_t* row, std::size_t dim, std::int8_t* out) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < dim; ++i) {
    out[i] = static_cast<std::int8_t>(static_cast<int>(row[i]) - 128);
    sum += out[i];
  }
  return sum;
}

void fwht(float* x, std::size_t n) { fwht_wide_stages(x, n, 1); }

void quantise(const float* x, std::size_t dim, float scale, std::uint8_t* codes) {
  for (std::size_t i = 0; i < dim; ++i) {
    const float clamped = std::clamp(std::nearbyint(x[i] * scale), -127.0F, 127.0F);
    codes[i] = static_cast<std::uint8_t>(static_cast<int>(clamped) + 128);
  }
}

float sign_bits(const float* x, std::size_t dim, std::uint8_t* bits) {
  float partials[kPartials] = {};
  for (std::size_t i = 0; i < dim; i += 8) {
    unsigned byte = 0;
    for (std::size_t j = 0; j < 8; ++j) {
      byte |= (x[i + j] > 0.0F ? 1U : 0U) << j;
      partials[(i + j) % kPartials] += std::fabs(x[i + j]);
    }
    bits[i / 8] = static_cast<std::uint8_t>(byte);
  }
  return sum_partials(partials);
}

std::int32_t make_planes(const float* x, std::size_t dim, float scale, std::uint8_t* planes) {
  const std::size_t bytes = dim / 8;
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < dim; i += 8) {
    unsigned plane[kPlanes] = {};
    for (std::size_t j = 0; j < 8; ++j) {
      const float scaled = x[i + j] * scale;
      const int value = static_cast<int>(std::clamp(std::floor(scaled + 8.0F), 0.0F, 15.0F));
      sum += value;
      for (int b = 0; b < kPlanes; ++b) plane[b] |= ((static_cast<unsigned>(value) >> b) & 1U) << j;
    }
    for (int b = 0; b < kPlanes; ++b) planes[b * bytes + i / 8] = static_cast<std::uint8_t>(plane[b]);
  }
  return sum;
}

float squared_norm(const float* x, std::size_t dim) {
  float partials[kPartials] = {};
  for (std::size_t i = 0; i < dim; ++i) partials[i % kPartials] += x[i] * x[i];
  return sum_partials(partials);
}

void widen(const std::uint16_t* x, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = widen_half(x[i]);
}

float dot_f32(const float* a, const float* b, std::size_t dim) {
  float partials[kPartials] = {};
  for (std::size_t i = 0; i < dim; ++i) partials[i % kPartials] += a[i] * b[i];
  return sum_partials(partials);
}

float l2_f32(const float* a, const float* b, std::size_t dim) {
  float partials[kPartials] = {};
  for (std::size_t i = 0; i < dim; ++i) partials[i % kPartials] += (a[i] - b[i]) * (a[i] - b[i]);
  return sum_partials(partials);
}

constexpr Kernels kPortable{"portable", hamming_rows, hamming_block, plane_rows,  dot_rows,       unbias,
                            fwht,       quantise,     sign_bits,     make_planes, squared_norm,   widen,
                            dot_f32,    l2_f32,       within_each,   wanted_each, wanted_each_u8, wanted_each_f64,
                            mark_each,  spread_each,  count_each};

}  // namespace

const Kernels* portable_kernels() { return &kPortable; }

}  // namespace engram
