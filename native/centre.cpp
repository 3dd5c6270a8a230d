// The centre of the codes, and what it tells of vectors that are gone.
//
// It is the mean of the first vectors, and checkpoints have it. The mean of one vector is this vector, and that of few
// says much about each of them. Without a centre, codes of vectors far from the origin could not be told apart, so the
// first vectors make one, however few they are. But the index knows what its centre is the mean of, and says when one
// of these vectors was erased. Whoever keeps checkpoints builds the graph anew then, on a centre of many.
#include "index.hpp"

namespace engram {
namespace {

// The mean of so many vectors tells nothing of a single one.
constexpr std::size_t kCentreMany = 64;

std::vector<float> mean_of(const float* vectors, std::size_t n, std::size_t dim) {
  std::vector<float> mean(dim, 0.0F);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < dim; ++j) mean[j] += vectors[i * dim + j] / static_cast<float>(n);
  }
  return mean;
}

}  // namespace

void Index::centre_on(const float* vectors, std::size_t n, Generation last) {
  const bool may_centre = with_metric(metric(), []<class M>(M) { return M::kShiftInvariant; });
  if (!may_centre || appended_ > 0 || n == 0) return;
  graph_.codec().centre_on(mean_of(vectors, n, dim()));
  centre_of_ = {n, last};
}

bool Index::remembers_erased() const {
  const Slot published = visible_slots_.load(std::memory_order_acquire);
  // The first append sets the centre, and it may still be running as long as nothing is published.
  if (published == 0 || graph_.codec().centre().empty() || centre_of_.rows >= kCentreMany) return false;
  // Checkpoints from before this was noted do not say it.
  if (centre_of_.rows == 0) return true;
  // The vectors of the centre were the first ones.
  const Slot end = born_until(centre_of_.last, published);
  std::size_t left = 0;
  for (Slot s = 0; s < end; ++s) left += graph_.table().is_erased(s) ? 0U : 1U;
  return left < centre_of_.rows;
}

}  // namespace engram
