// Kernels for distances, codes and columns of filters, selected at run time for the CPU.
//
// Integer kernels give the same results on every path. Float kernels that make codes (`fwht`, `quantise`,
// `squared_norm`) do the same operations in the same order on every path, so equal vectors get equal codes everywhere.
// For this reason they are compiled without fused multiply-add. Only `dot_f32` and `l2_f32`, which rerank, may differ
// in the last bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram {

inline constexpr int kPlanes = 4;  // A query is quantised to 4 bits per dimension, one bit plane per bit.

struct Kernels {
  const char* name;

  // out[i] = number of differing bits between `query` and rows[i]; `bytes` is a multiple of 8.
  void (*hamming_rows)(const std::uint8_t* query, const std::uint8_t* const* rows, std::size_t n, std::size_t bytes,
                       std::uint32_t* out);
  // As `hamming_rows`, over `n` rows that lie `stride` bytes apart.
  void (*hamming_block)(const std::uint8_t* query, const std::uint8_t* block, std::size_t stride, std::size_t n,
                        std::size_t bytes, std::uint32_t* out);
  // out[i] = sum of (2 q - 15) over the set bits of rows[i], where q is the query's 4-bit value in that dimension.
  // Plane b of the query starts at planes + b * bytes.
  void (*plane_rows)(const std::uint8_t* planes, const std::uint8_t* const* rows, std::size_t n, std::size_t bytes,
                     std::int32_t* out);
  // out[i] = dot product of the signed query codes and the codes of rows[i], which are stored biased by 128.
  // `query_sum` is the sum of the query's codes; `dim` is a multiple of 64.
  void (*dot_rows)(const std::int8_t* query, std::int32_t query_sum, const std::uint8_t* const* rows, std::size_t n,
                   std::size_t dim, std::int32_t* out);
  // Converts stored codes to signed codes and returns the sum of the signed codes.
  std::int32_t (*unbias)(const std::uint8_t* row, std::size_t dim, std::int8_t* out);

  // In-place fast Walsh-Hadamard transform without normalisation; `n` is a power of two >= 64.
  void (*fwht)(float* x, std::size_t n);
  // codes[i] = 128 + clamp(round(x[i] * scale), -127, 127).
  void (*quantise)(const float* x, std::size_t dim, float scale, std::uint8_t* codes);
  // Writes one sign bit per dimension, set where x > 0, and returns the sum of |x|.
  float (*sign_bits)(const float* x, std::size_t dim, std::uint8_t* bits);
  // Clamps floor(x * scale + 8) to 0..15, writes the four bit planes, and returns the sum of the clamped values.
  std::int32_t (*make_planes)(const float* x, std::size_t dim, float scale, std::uint8_t* planes);
  float (*squared_norm)(const float* x, std::size_t dim);

  // Converts IEEE 754 half-precision numbers to floats, exactly.
  void (*widen)(const std::uint16_t* x, std::size_t n, float* out);

  float (*dot_f32)(const float* a, const float* b, std::size_t dim);
  float (*l2_f32)(const float* a, const float* b, std::size_t dim);

  // Sets bit i % 64 of out[i / 64] if values[i] lies within `low` and `high`, both included. All (n + 63) / 64 words
  // are written; bits behind the last value are 0.
  void (*within_f64)(const double* values, std::size_t n, double low, double high, std::uint64_t* out);
  // As `within_f64`, for numbers[i] whose bit is set in `wanted`: bit j % 32 of wanted[j / 32] stands for the number j.
  // Numbers are not negative; those from 32 * `words` on are not wanted.
  void (*wanted_i32)(const std::int32_t* numbers, std::size_t n, const std::uint32_t* wanted, std::size_t words,
                     std::uint64_t* out);
  // As `wanted_i32`, for numbers of one byte; `wanted` has the bits of all 256 of them.
  void (*wanted_u8)(const std::uint8_t* numbers, std::size_t n, const std::uint32_t* wanted, std::uint64_t* out);
  // As `wanted_i32`, for values[i] that are `low` plus a number that is wanted. `low` is a whole number; all sums are
  // below 2^53.
  void (*wanted_f64)(const double* values, std::size_t n, double low, const std::uint32_t* wanted, std::size_t words,
                     std::uint64_t* out);
  // Sets the bits of `n` generations, which ascend; bit 0 of bits[0] is that of the generation `begin`. Of the
  // generations only those count whose place has its bit set in `passed`, unless that is null. All have a bit.
  void (*mark)(const std::int64_t* generations, std::size_t n, const std::uint64_t* passed, std::int64_t begin,
               std::uint64_t* bits);
  // Deals the bits of `passed`, in their order, to the places whose bits are set in the `words` words of `present`, and
  // writes them to `out`. There are `passed_words` words of them; bits behind are 0.
  void (*spread)(const std::uint64_t* passed, std::size_t passed_words, const std::uint64_t* present, std::size_t words,
                 std::uint64_t* out);
  // Returns how many bits of `words` words are set.
  std::size_t (*count)(const std::uint64_t* bits, std::size_t words);
};

// Returns the fastest kernels that this CPU can run. The environment variable ENGRAM_SIMD=portable|avx2|avx512|neon
// selects a path by name, which tests use; a path that the CPU lacks is ignored.
const Kernels& kernels();

// Returns the path of that name, or null if the build or the CPU does not have it.
const Kernels* kernels_by_name(const char* name);

// Return the compiled paths, whether or not this CPU can run them; null if the compiler targets another architecture.
const Kernels* portable_kernels();
const Kernels* avx2_kernels_compiled();
const Kernels* avx512_kernels_compiled();
const Kernels* neon_kernels_compiled();

}  // namespace engram
