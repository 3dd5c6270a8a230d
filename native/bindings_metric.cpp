#include "bindings_metric.hpp"

#include <nanobind/stl/string.h>

#include "bindings_arrays.hpp"
#include "metric.hpp"
#include "unlocked.hpp"

namespace engram {
namespace {

using namespace nb::literals;

nb::dict metrics() {
  nb::dict rules;
  for (std::size_t place = 0; place < kMetricCount; ++place) {
    with_metric(static_cast<Metric>(place), [&]<class M>(M) {
      nb::dict rule;
      rule["uses_norms"] = M::kUsesNorms;
      rule["needs_direction"] = M::kNeedsDirection;
      rule["shift_invariant"] = M::kShiftInvariant;
      rules[M::kName] = rule;
    });
  }
  return rules;
}

NewVector<float> exact_scores(const Vector& query, const Floats& rows, const std::string& name) {
  const Metric metric = metric_named(name);
  const std::size_t dim = query.shape(0);
  if (rows.shape(1) != dim) throw nb::value_error("the rows have another dimension than the query");
  const std::size_t n = rows.shape(0);
  auto scores = new_vector<float>(n);
  float* out = scores.data();
  run_over(rows.nbytes(), [&] {
    const float norm = norm_of(query.data(), dim);
    for (std::size_t i = 0; i < n; ++i) out[i] = exact_score(metric, query.data(), norm, rows.data() + i * dim, dim);
  });
  return scores;
}

NewVector<double> similarities(const Vector& scores, const std::string& name) {
  const Metric metric = metric_named(name);
  auto found = new_vector<double>(scores.shape(0));
  for (std::size_t i = 0; i < scores.shape(0); ++i) {
    found.data()[i] = with_metric(metric, [&]<class M>(M) { return M::similarity(scores(i)); });
  }
  return found;
}

}  // namespace

void bind_metrics(nb::module_& m) {
  m.def("metrics", &metrics);
  m.def("exact_scores", &exact_scores, "query"_a, "rows"_a, "metric"_a);
  m.def("similarities", &similarities, "scores"_a, "metric"_a);
}

}  // namespace engram
