// Vector codes: a random rotation, then one sign bit and one signed byte per dimension of the vector's direction.
//
// The rotation applies random signs and Walsh-Hadamard transforms on power-of-two windows, twice. It makes every
// direction look like Gaussian noise, so one scale that does not depend on the data fits all vectors, and codes never
// need retraining. Metrics that depend on length store the norm beside the code. The 1-bit estimator is that of RaBitQ
// (Gao and Long, 2024).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/kernels.hpp"
#include "metric.hpp"
#include "short_code.hpp"
#include "types.hpp"

namespace engram {

// The fields that follow the sign bits in a slot's bit row.
struct BitRowTail {
  float inverse_l1;  // 1 / sum |x| of the rotated unit vector; converts plane sums to cosine estimates.
  float norm;        // Length of the vector; 1 if the metric uses no norms.
};

// A query in the form that the kernels need. The buffers are reused from search to search.
struct QueryCode {
  std::vector<std::uint8_t> bits;
  std::vector<std::uint8_t> planes;
  std::vector<std::int8_t> codes;  // Byte codes, or the bytes of a ShortCode.
  std::int32_t code_sum = 0;
  float plane_step = 0.0F;
  float plane_offset = 0.0F;  // Sum of (value - 7.5) over the dimensions.
  float norm = 1.0F;
};

class Codec {
 public:
  Codec(std::size_t dim, Metric metric);

  std::size_t dim() const { return dim_; }
  // Dimension of the rotated space: `dim` rounded up to a multiple of 64.
  std::size_t code_dim() const { return code_dim_; }
  std::size_t bit_bytes() const { return code_dim_ / 8; }
  // Bytes of a bit row: the sign bits and a BitRowTail, rounded up so that every row starts on a cache line.
  std::size_t bit_row_bytes() const { return round_up(bit_bytes() + sizeof(BitRowTail), 64); }
  std::size_t code_row_bytes() const { return code_dim_; }
  // Dot product of the byte codes of two equal unit vectors.
  float code_unit() const { return code_scale_ * code_scale_; }
  // Whether walks compare sign bits instead of byte codes. Up to 256 dimensions, one bit per dimension is too coarse to
  // steer a walk, and byte codes are short enough (our own, see docs/decisions/0003).
  bool bits_steer() const { return dim_ > 256; }

  // Codes directions and lengths relative to `centre` instead of the origin, which only a shift-invariant metric
  // allows. Must be called before anything is encoded. Seen from the origin, vectors far from it all lie in the same
  // direction, and codes could not tell them apart.
  void centre_on(std::vector<float> centre) { centre_ = std::move(centre); }
  const std::vector<float>& centre() const { return centre_; }

  // Whether code rows are short codes instead of byte codes.
  bool is_short() const { return dim_ < kShortDim; }

  // Of the two rows of a vector, the one that tells which entry points are near.
  const std::uint8_t* entry_row(const std::uint8_t* bit_row, const std::uint8_t* code_row) const {
    return is_short() ? code_row : bit_row;
  }
  const std::uint8_t* entry_row(const QueryCode& query) const {
    return entry_row(query.bits.data(), reinterpret_cast<const std::uint8_t*>(query.codes.data()));
  }

  void encode(const float* vector, std::uint8_t* bit_row, std::uint8_t* code_row) const;
  void encode_query(const float* vector, QueryCode& query) const;
  // Makes the query code of a stored vector from its codes alone.
  void load_query(const std::uint8_t* bit_row, const std::uint8_t* code_row, QueryCode& query) const;

  // Converts a code row to what queries hold: signed byte codes, whose sum is returned, or the short code as it is.
  std::int32_t load_codes(const std::uint8_t* code_row, std::vector<std::int8_t>& codes) const;

  BitRowTail tail(const std::uint8_t* bit_row) const;

 private:
  // Writes the rotated direction of `vector` to `out` (code_dim floats) and returns the vector's norm.
  float rotate(const float* vector, float* out) const;
  void write_short(const float* vector, float norm, void* row) const;

  std::size_t dim_;
  std::size_t code_dim_;
  std::size_t window_;  // Largest power of two <= code_dim.
  bool keeps_norms_;
  float code_scale_;
  std::vector<float> centre_;  // Empty if codes are relative to the origin.
  std::vector<float> signs_;   // One sign per coordinate of each transform.
};

}  // namespace engram
