// Codes of vectors with fewer than eight numbers: the numbers themselves.
//
// In few dimensions neighbours lie much closer together than the rounding of byte codes: among 20 000 directions in the
// plane, nine of the ten nearest were missed. So few numbers fit into the row of a byte code as they are.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>

namespace engram {

// Vectors with fewer numbers than this have short codes. Checkpoints of eight dimensions have byte codes, so it never
// changes.
inline constexpr std::size_t kShortDim = 8;

struct ShortCode {
  float values[kShortDim] = {};  // Zeros follow the numbers of the vector.
};

inline ShortCode load_short(const void* row) {
  ShortCode code;
  std::memcpy(&code, row, sizeof code);
  return code;
}

inline float dot(const ShortCode& a, const ShortCode& b) {
  float sum = 0.0F;
  for (std::size_t i = 0; i < kShortDim; ++i) sum += a.values[i] * b.values[i];
  return sum;
}

// Returns the squared distance, by differences: small distances are as exact as large ones.
inline float squared_gap(const ShortCode& a, const ShortCode& b) {
  float sum = 0.0F;
  for (std::size_t i = 0; i < kShortDim; ++i) {
    const float gap = a.values[i] - b.values[i];
    sum += gap * gap;
  }
  return sum;
}

inline float norm_of(const ShortCode& code) { return std::sqrt(dot(code, code)); }

// Returns 0 if one of them has no direction.
inline float cosine_of(const ShortCode& a, const ShortCode& b) {
  const float norms = norm_of(a) * norm_of(b);
  return norms > 0.0F ? dot(a, b) / norms : 0.0F;
}

}  // namespace engram
