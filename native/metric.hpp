// What a metric is. One struct says all about it; other native code asks here, and so does Python, through `_core`.
//
// Each struct has these members:
// - kName: the name that callers use.
// - kUsesNorms: whether scores depend on the lengths of vectors, so that a length is stored beside each code.
// - kNeedsDirection: whether a vector of length zero cannot be compared, so that it is refused.
// - kShiftInvariant: whether scores stay the same when all vectors move alike, so that codes may have a centre.
// - score: what callers see, from the raw vectors. A larger score is nearer. `query_norm` is the length of the query.
// - estimate: the score of a query and a vector, from the cosine between their directions and from their lengths, which
//   are 1 without kUsesNorms. It may be above the score of such vectors but never below it.
// - distance: how far two stored vectors are from each other, from the same numbers; a smaller distance is nearer. It
//   is never negative, as the graph's pruning rule requires. `norm_max` is the largest length of a stored vector.
// - short_estimate, short_distance: what `estimate` and `distance` say, from short codes (see short_code.hpp), which
// are
//   the vectors themselves, or unit vectors without kUsesNorms. An estimate may be off by a constant.
// - similarity: a score as a number from 0 up, for rankings that multiply it with other numbers.
//
// Codes know nothing but directions and lengths. They choose the candidates that `score` ranks, so a metric that does
// not follow from an angle and two lengths, such as the Manhattan distance, misses more of the true nearest.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>

#include "kernels/kernels.hpp"
#include "short_code.hpp"

namespace engram {

// The number of a metric is its place in `Metrics` below. Checkpoints hold it, so it never changes.
enum class Metric : std::uint8_t { kCosine = 0, kInnerProduct = 1, kL2 = 2 };

struct Cosine {
  static constexpr const char* kName = "cosine";
  static constexpr bool kUsesNorms = false;
  static constexpr bool kNeedsDirection = true;
  static constexpr bool kShiftInvariant = false;

  static float score(const float* query, float query_norm, const float* vector, std::size_t dim) {
    const Kernels& k = kernels();
    const float norms = query_norm * std::sqrt(k.squared_norm(vector, dim));
    return norms > 0.0F ? k.dot_f32(query, vector, dim) / norms : 0.0F;
  }
  static float estimate(float cosine, float /*query_norm*/, float /*norm*/) { return cosine; }
  static float distance(float cosine, float /*norm_a*/, float /*norm_b*/, float /*norm_max*/) {
    return std::max(0.0F, 1.0F - cosine);
  }
  static float short_estimate(const ShortCode& query, const ShortCode& code) {
    return -0.5F * squared_gap(query, code);
  }
  static float short_distance(const ShortCode& a, const ShortCode& b, float /*norm_max*/) {
    return 0.5F * squared_gap(a, b);
  }
  static double similarity(double score) { return std::max(0.0, score); }
};

struct InnerProduct {
  static constexpr const char* kName = "ip";
  static constexpr bool kUsesNorms = true;
  static constexpr bool kNeedsDirection = false;
  static constexpr bool kShiftInvariant = false;

  static float score(const float* query, float /*query_norm*/, const float* vector, std::size_t dim) {
    return kernels().dot_f32(query, vector, dim);
  }
  static float estimate(float cosine, float query_norm, float norm) { return query_norm * norm * cosine; }
  // Inner products become distances by lifting every vector onto a sphere with one more coordinate (Bachrach et al.,
  // 2014). That coordinate follows from the norm, so it is not stored.
  static float distance(float cosine, float norm_a, float norm_b, float norm_max) {
    const float dot = norm_a * norm_b * cosine + lift(norm_a, norm_max) * lift(norm_b, norm_max);
    return std::max(0.0F, norm_max * norm_max - dot);
  }
  static float short_estimate(const ShortCode& query, const ShortCode& code) { return dot(query, code); }
  static float short_distance(const ShortCode& a, const ShortCode& b, float norm_max) {
    const float rise = lift(norm_of(a), norm_max) - lift(norm_of(b), norm_max);
    return 0.5F * (squared_gap(a, b) + rise * rise);
  }
  static float lift(float norm, float norm_max) { return std::sqrt(std::max(0.0F, norm_max * norm_max - norm * norm)); }
  static double similarity(double score) { return std::max(0.0, score); }
};

// Minus the squared Euclidean distance.
struct L2 {
  static constexpr const char* kName = "l2";
  static constexpr bool kUsesNorms = true;
  static constexpr bool kNeedsDirection = false;
  static constexpr bool kShiftInvariant = true;

  static float score(const float* query, float /*query_norm*/, const float* vector, std::size_t dim) {
    return -kernels().l2_f32(query, vector, dim);
  }
  static float estimate(float cosine, float query_norm, float norm) {
    return -distance(cosine, query_norm, norm, 0.0F);
  }
  static float distance(float cosine, float norm_a, float norm_b, float /*norm_max*/) {
    return std::max(0.0F, norm_a * norm_a + norm_b * norm_b - 2.0F * norm_a * norm_b * cosine);
  }
  static float short_estimate(const ShortCode& query, const ShortCode& code) { return -squared_gap(query, code); }
  static float short_distance(const ShortCode& a, const ShortCode& b, float /*norm_max*/) { return squared_gap(a, b); }
  static double similarity(double score) { return 1.0 / (1.0 - score); }
};

using Metrics = std::tuple<Cosine, InnerProduct, L2>;
inline constexpr std::size_t kMetricCount = std::tuple_size_v<Metrics>;

// Calls `use` with the struct of `metric` and returns the result. The choice is a comparison of numbers, which
// compilers move out of loops.
template <std::size_t kPlace = 0, class Use>
inline auto with_metric(Metric metric, const Use& use) {
  if constexpr (kPlace + 1 < kMetricCount) {
    if (metric != static_cast<Metric>(kPlace)) return with_metric<kPlace + 1>(metric, use);
  }
  return use(std::tuple_element_t<kPlace, Metrics>());
}

inline const char* metric_name(Metric metric) {
  return with_metric(metric, []<class M>(M) { return M::kName; });
}

// Returns the metric of that name. Throws std::invalid_argument, which names the metrics, if there is none.
inline Metric metric_named(const std::string& name) {
  std::string known;
  for (std::size_t place = 0; place < kMetricCount; ++place) {
    const auto metric = static_cast<Metric>(place);
    if (name == metric_name(metric)) return metric;
    known += (place == 0 ? "" : ", ") + std::string(metric_name(metric));
  }
  throw std::invalid_argument("metric must be one of " + known);
}

inline bool uses_norms(Metric metric) {
  return with_metric(metric, []<class M>(M) { return M::kUsesNorms; });
}

// Returns the length of a query as `exact_score` needs it.
inline float norm_of(const float* query, std::size_t dim) { return std::sqrt(kernels().squared_norm(query, dim)); }

// Returns the score that callers see, computed from raw vectors.
inline float exact_score(Metric metric, const float* query, float query_norm, const float* vector, std::size_t dim) {
  return with_metric(metric, [&]<class M>(M) { return M::score(query, query_norm, vector, dim); });
}

}  // namespace engram
