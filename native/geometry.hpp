// The distances that steer walks and prune links: those of the metric, with the largest norm seen, which one metric
// needs. A smaller distance is nearer.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "metric.hpp"

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
  bool uses_norms() const { return engram::uses_norms(metric_); }

  // Returns the distance from a query to a stored vector, which only its order gives a meaning.
  float query_distance(float cosine, float query_norm, float norm) const {
    return -with_metric(metric_, [&]<class M>(M) { return M::estimate(cosine, query_norm, norm); });
  }

  float query_distance(const ShortCode& query, const ShortCode& code) const {
    return -with_metric(metric_, [&]<class M>(M) { return M::short_estimate(query, code); });
  }

  // Returns the distance between two stored vectors. It is never negative.
  float pair_distance(float cosine, float norm_a, float norm_b) const {
    return with_metric(
        metric_, [&]<class M>(M) { return M::distance(cosine, norm_a, norm_b, M::kUsesNorms ? norm_max() : 1.0F); });
  }

  float pair_distance(const ShortCode& a, const ShortCode& b) const {
    return with_metric(metric_, [&]<class M>(M) { return M::short_distance(a, b, norm_max()); });
  }

  // Grows the largest norm seen to `norm`.
  void saw_norm(float norm) {
    float known = norm_max_.load(std::memory_order_relaxed);
    while (norm > known && !norm_max_.compare_exchange_weak(known, norm, std::memory_order_relaxed)) {
    }
  }

  float norm_max() const { return norm_max_.load(std::memory_order_relaxed); }

 private:
  Metric metric_;
  std::atomic<float> norm_max_{0.0F};
};

}  // namespace engram
