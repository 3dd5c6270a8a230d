// The metrics: distances from the cosine between two directions and, where the metric needs them, from the lengths of
// the vectors. A smaller distance is nearer. Callers see scores instead, which come from the raw vectors; a larger
// score is nearer.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>

#include "types.hpp"

namespace engram {

// Maps floats to integers of the same order, so that one integer comparison ranks a candidate.
inline std::uint32_t ordered_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

class Geometry {
 public:
  explicit Geometry(Metric metric) : metric_(metric) {}

  Metric metric() const { return metric_; }
  bool uses_norms() const { return metric_ != Metric::kCosine; }

  // Returns the distance from a query to a stored vector.
  float query_distance(float cosine, float query_norm, float norm) const {
    switch (metric_) {
      case Metric::kCosine:
        return 1.0F - cosine;
      case Metric::kInnerProduct:
        return -norm * cosine;
      case Metric::kL2:
        return std::max(0.0F, query_norm * query_norm + norm * norm - 2.0F * query_norm * norm * cosine);
    }
    return 0.0F;
  }

  // Returns the distance between two stored vectors. It is never negative, as the graph's pruning rule requires. Inner
  // products become distances by lifting every vector onto a sphere with one more coordinate (Bachrach et al., 2014).
  // That coordinate follows from the norm, so it is not stored.
  float pair_distance(float cosine, float norm_a, float norm_b) const {
    switch (metric_) {
      case Metric::kCosine:
        return std::max(0.0F, 1.0F - cosine);
      case Metric::kInnerProduct: {
        const float radius = norm_max_.load(std::memory_order_relaxed);
        const float dot = norm_a * norm_b * cosine + lift(radius, norm_a) * lift(radius, norm_b);
        return std::max(0.0F, radius * radius - dot);
      }
      case Metric::kL2:
        return std::max(0.0F, norm_a * norm_a + norm_b * norm_b - 2.0F * norm_a * norm_b * cosine);
    }
    return 0.0F;
  }

  // Grows the radius of the sphere to `norm`: the sphere must hold every vector, so its radius is the largest norm
  // seen.
  void saw_norm(float norm) {
    float known = norm_max_.load(std::memory_order_relaxed);
    while (norm > known && !norm_max_.compare_exchange_weak(known, norm, std::memory_order_relaxed)) {
    }
  }

  float norm_max() const { return norm_max_.load(std::memory_order_relaxed); }

 private:
  static float lift(float radius, float norm) { return std::sqrt(std::max(0.0F, radius * radius - norm * norm)); }

  Metric metric_;
  std::atomic<float> norm_max_{0.0F};
};

}  // namespace engram
