// The scores that callers see, computed from raw vectors: cosine, inner product, or minus the squared distance. A
// larger score is nearer.
#pragma once

#include <cmath>
#include <cstddef>

#include "kernels/kernels.hpp"
#include "types.hpp"

namespace engram {

inline float exact_score(Metric metric, const float* query, float query_norm, const float* vector, std::size_t dim) {
  const Kernels& k = kernels();
  switch (metric) {
    case Metric::kCosine: {
      const float norms = query_norm * std::sqrt(k.squared_norm(vector, dim));
      return norms > 0.0F ? k.dot_f32(query, vector, dim) / norms : 0.0F;
    }
    case Metric::kInnerProduct:
      return k.dot_f32(query, vector, dim);
    case Metric::kL2:
      return -k.l2_f32(query, vector, dim);
  }
  return 0.0F;
}

}  // namespace engram
