// Distance and coding kernels, picked at run time for the CPU at hand.
//
// Integer kernels give the same result on every path. Float kernels that make codes (`fwht`, `quantise`,
// `squared_norm`) do the same operations in the same order on every path, so equal vectors get equal codes
// everywhere; this is why they are compiled without fused multiply-add. Only `dot_f32` and `l2_f32`, which
// rerank, may differ in the last bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram {

inline constexpr int kPlanes = 4;  // A query is cut to 4 bits per dimension, one bit plane per bit.

struct Kernels {
  const char* name;

  // out[i] = number of differing bits between `query` and rows[i]; `bytes` is a multiple of 8.
  void (*hamming_rows)(const std::uint8_t* query, const std::uint8_t* const* rows, std::size_t n, std::size_t bytes,
                       std::uint32_t* out);
  // The same over `n` rows that lie `stride` bytes apart.
  void (*hamming_block)(const std::uint8_t* query, const std::uint8_t* block, std::size_t stride, std::size_t n,
                        std::size_t bytes, std::uint32_t* out);
  // out[i] = sum over the set bits of rows[i] of (2 q - 15), where q is the query's 4-bit value: the query's plane b
  // starts at planes + b * bytes.
  void (*plane_rows)(const std::uint8_t* planes, const std::uint8_t* const* rows, std::size_t n, std::size_t bytes,
                     std::int32_t* out);
  // out[i] = dot product of the signed query codes and the codes of rows[i], which are stored biased by 128.
  // `query_sum` is the sum of the query's codes; `dim` is a multiple of 64.
  void (*dot_rows)(const std::int8_t* query, std::int32_t query_sum, const std::uint8_t* const* rows, std::size_t n,
                   std::size_t dim, std::int32_t* out);
  // Turns stored codes back into signed ones and returns their sum.
  std::int32_t (*unbias)(const std::uint8_t* row, std::size_t dim, std::int8_t* out);

  // In-place fast Walsh-Hadamard transform without normalisation; `n` is a power of two >= 64.
  void (*fwht)(float* x, std::size_t n);
  // codes[i] = 128 + clamp(round(x[i] * scale), -127, 127).
  void (*quantise)(const float* x, std::size_t dim, float scale, std::uint8_t* codes);
  // bits: one sign bit per dimension, set where x > 0; returns the sum of |x|.
  float (*sign_bits)(const float* x, std::size_t dim, std::uint8_t* bits);
  // Cuts floor(x * scale + 8) to 0..15 and writes its four bit planes; returns the sum of the cut values.
  std::int32_t (*make_planes)(const float* x, std::size_t dim, float scale, std::uint8_t* planes);
  float (*squared_norm)(const float* x, std::size_t dim);

  // Widens IEEE 754 halves to floats, exactly.
  void (*widen)(const std::uint16_t* x, std::size_t n, float* out);

  float (*dot_f32)(const float* a, const float* b, std::size_t dim);
  float (*l2_f32)(const float* a, const float* b, std::size_t dim);
};

// The fastest kernels this CPU can run. ENGRAM_SIMD=portable|avx2|avx512|neon in the environment asks for a path by
// name, which tests use; a path that the CPU lacks is not honoured.
const Kernels& kernels();

// The path of that name, or null where the build or the CPU does not have it.
const Kernels* kernels_by_name(const char* name);

// What was compiled, whether or not this CPU can run it; null where the compiler targets another architecture.
const Kernels* portable_kernels();
const Kernels* avx2_kernels_compiled();
const Kernels* avx512_kernels_compiled();
const Kernels* neon_kernels_compiled();

}  // namespace engram
