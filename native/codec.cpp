#include "codec.hpp"

#include <bit>
#include <cmath>
#include <cstring>

namespace engram {
namespace {

constexpr int kRounds = 2;
// Codes reach 127 at this many standard deviations of a rotated coordinate; a prototype measured 4.5 as best.
constexpr float kCodeRange = 4.5F;
// Width of one step of the query's 4-bit values, in standard deviations; optimal for a Gaussian and 16 levels.
constexpr float kPlaneStep = 0.335F;

// SplitMix64 (Steele, Lea and Flood, 2014): small, and the same on every platform, because stored codes depend on it.
std::uint64_t split_mix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

Codec::Codec(std::size_t dim, Metric metric)
    : dim_(dim),
      code_dim_(round_up(dim, 64)),
      window_(std::bit_floor(code_dim_)),
      keeps_norms_(uses_norms(metric)),
      code_scale_(127.0F * std::sqrt(static_cast<float>(code_dim_)) / kCodeRange),
      signs_(std::size_t{2} * kRounds * window_) {
  std::uint64_t state = 0x656E6772616DULL;
  for (float& sign : signs_) sign = (split_mix(state) & 1U) != 0 ? 1.0F : -1.0F;
}

float Codec::rotate(const float* vector, float* out) const {
  const Kernels& k = kernels();
  if (!centre_.empty()) {
    for (std::size_t i = 0; i < dim_; ++i) out[i] = vector[i] - centre_[i];
    vector = out;
  }
  const float norm = std::sqrt(k.squared_norm(vector, dim_));
  const float scale = 1.0F / std::sqrt(static_cast<float>(window_));
  const float inverse = norm > 0.0F ? 1.0F / norm : 0.0F;
  for (std::size_t i = 0; i < dim_; ++i) out[i] = vector[i] * inverse;
  for (std::size_t i = dim_; i < code_dim_; ++i) out[i] = 0.0F;
  const float* signs = signs_.data();
  // Every transform has fresh signs. Without them, the second window would undo part of what the first one did, because
  // the transform is its own inverse (see docs/decisions/0003).
  const auto transform = [&](float* window) {
    for (std::size_t i = 0; i < window_; ++i) window[i] = window[i] * signs[i] * scale;
    k.fwht(window, window_);
    signs += window_;
  };
  for (int round = 0; round < kRounds; ++round) {
    transform(out);
    if (window_ < code_dim_) transform(out + (code_dim_ - window_));
  }
  return norm;
}

void Codec::encode(const float* vector, std::uint8_t* bit_row, std::uint8_t* code_row) const {
  const Kernels& k = kernels();
  thread_local std::vector<float> rotated;
  rotated.resize(code_dim_);
  BitRowTail tail{};
  const float norm = rotate(vector, rotated.data());
  tail.norm = keeps_norms_ ? norm : 1.0F;
  const float l1 = k.sign_bits(rotated.data(), code_dim_, bit_row);
  tail.inverse_l1 = l1 > 0.0F ? 1.0F / l1 : 0.0F;
  std::memcpy(bit_row + bit_bytes(), &tail, sizeof tail);
  if (is_short()) {
    write_short(vector, norm, code_row);
  } else {
    k.quantise(rotated.data(), code_dim_, code_scale_, code_row);
  }
}

void Codec::write_short(const float* vector, float norm, void* row) const {
  ShortCode code;
  const float unit = keeps_norms_ || norm <= 0.0F ? 1.0F : norm;
  for (std::size_t i = 0; i < dim_; ++i) code.values[i] = (vector[i] - (centre_.empty() ? 0.0F : centre_[i])) / unit;
  std::memcpy(row, &code, sizeof code);
}

void Codec::encode_query(const float* vector, QueryCode& query) const {
  const Kernels& k = kernels();
  thread_local std::vector<float> rotated;
  rotated.resize(code_dim_);
  query.bits.resize(bit_bytes());
  query.planes.resize(bit_bytes() * kPlanes);
  query.codes.resize(code_dim_);
  const float norm = rotate(vector, rotated.data());
  query.norm = keeps_norms_ ? norm : 1.0F;
  k.sign_bits(rotated.data(), code_dim_, query.bits.data());
  const float deviation = 1.0F / std::sqrt(static_cast<float>(code_dim_));
  query.plane_step = kPlaneStep * deviation;
  const std::int32_t sum = k.make_planes(rotated.data(), code_dim_, 1.0F / query.plane_step, query.planes.data());
  query.plane_offset = static_cast<float>(sum) - 7.5F * static_cast<float>(code_dim_);
  if (is_short()) {
    write_short(vector, norm, query.codes.data());
    return;
  }
  auto* biased = reinterpret_cast<std::uint8_t*>(query.codes.data());
  k.quantise(rotated.data(), code_dim_, code_scale_, biased);
  query.code_sum = k.unbias(biased, code_dim_, query.codes.data());
}

void Codec::load_query(const std::uint8_t* bit_row, const std::uint8_t* code_row, QueryCode& query) const {
  query.bits.assign(bit_row, bit_row + bit_bytes());
  query.code_sum = load_codes(code_row, query.codes);
  query.norm = tail(bit_row).norm;
}

std::int32_t Codec::load_codes(const std::uint8_t* code_row, std::vector<std::int8_t>& codes) const {
  codes.resize(code_dim_);
  if (!is_short()) return kernels().unbias(code_row, code_dim_, codes.data());
  std::memcpy(codes.data(), code_row, sizeof(ShortCode));
  return 0;
}

BitRowTail Codec::tail(const std::uint8_t* bit_row) const {
  BitRowTail tail;
  std::memcpy(&tail, bit_row + bit_bytes(), sizeof tail);
  return tail;
}

}  // namespace engram
