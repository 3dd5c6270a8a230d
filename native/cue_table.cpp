#include "cue_table.hpp"

#include <algorithm>
#include <cmath>

#include "raw_check.hpp"

namespace engram {
namespace {

// Allowance for the rounding of byte codes. Rounding is off by at most half a step per dimension, and over all
// dimensions typically by 0.01 of the length of a unit vector. The cosine of two codes is then off by at most about
// twice as much.
constexpr float kCosineError = 0.025F;

// Returns an upper bound of the score of a cue and a vector from their codes: the cosine, and the lengths of what was
// coded. The cosine may be above 1, because what is stored with half the bits may be a little longer than what was
// coded.
float bound(Metric metric, float cosine, float cue_norm, float norm) {
  const float most = cosine + kCosineError;
  return with_metric(metric, [&]<class M>(M) { return M::estimate(most, cue_norm, norm); });
}

}  // namespace

std::size_t CueTable::size() const {
  const std::lock_guard guard(mutex_);
  return cues_.size();
}

void CueTable::add(std::int64_t key, const float* vector, float threshold) {
  const std::lock_guard guard(mutex_);
  remove_locked(key);
  const float norm = norm_of(vector, dim_);
  places_[key] = cues_.size();
  cues_.push_back({key, threshold, norm, norm});
  vectors_.insert(vectors_.end(), vector, vector + dim_);
}

bool CueTable::remove(std::int64_t key) {
  const std::lock_guard guard(mutex_);
  return remove_locked(key);
}

bool CueTable::remove_locked(std::int64_t key) {
  const auto found = places_.find(key);
  if (found == places_.end()) return false;
  // The last cue moves into the gap. The next match encodes it there.
  const std::size_t gap = found->second;
  const std::size_t last = cues_.size() - 1;
  places_.erase(found);
  if (gap != last) {
    cues_[gap] = cues_[last];
    std::copy_n(vector(last), dim_, vector(gap));
    places_[cues_[gap].key] = gap;
  }
  cues_.pop_back();
  vectors_.resize(last * dim_);
  encoded_ = std::min(encoded_, gap);
  return true;
}

void CueTable::encode(const Codec& codec) {
  const std::size_t stride = codec.code_row_bytes();
  codes_.resize(cues_.size() * stride);
  std::vector<std::uint8_t> bits(codec.bit_row_bytes());
  for (; encoded_ < cues_.size(); ++encoded_) {
    codec.encode(vector(encoded_), bits.data(), codes_.data() + encoded_ * stride);
    cues_[encoded_].coded_norm = codec.tail(bits.data()).norm;
  }
  rows_.resize(cues_.size());
  dots_.resize(cues_.size());
  for (std::size_t i = 0; i < cues_.size(); ++i) rows_[i] = codes_.data() + i * stride;
}

void CueTable::match(const Graph& graph, Slot first, Slot last, std::vector<Match>& matches,
                     std::vector<Slot>& damaged) {
  const std::lock_guard guard(mutex_);
  if (cues_.empty() || first >= last) return;
  const Codec& codec = graph.codec();
  encode(codec);
  std::vector<std::int8_t> codes(codec.code_dim());
  for (Slot slot = first; slot < last; ++slot) {
    const std::int32_t sum = codec.load_codes(graph.table().codes(slot), codes);
    if (!codec.is_short()) {
      kernels().dot_rows(codes.data(), sum, rows_.data(), cues_.size(), codec.code_dim(), dots_.data());
    }
    const float norm = codec.tail(graph.table().bits(slot)).norm;
    const float* raw = nullptr;
    for (std::size_t i = 0; i < cues_.size(); ++i) {
      const Cue& cue = cues_[i];
      const float cosine = codec.is_short() ? cosine_of(load_short(codes.data()), load_short(rows_[i]))
                                            : static_cast<float>(dots_[i]) / codec.code_unit();
      if (bound(metric_, cosine, cue.coded_norm, norm) < cue.threshold) continue;
      if (raw == nullptr && !is_sound(graph.table(), dim_, slot)) {
        damaged.push_back(slot);
        break;
      }
      if (raw == nullptr) raw = floats_of(graph.table().raw(slot).load(std::memory_order_acquire), dim_, widened_);
      const float score = exact_score(metric_, vector(i), cue.norm, raw, dim_);
      if (score < cue.threshold) continue;
      matches.push_back({cue.key, graph.table().born(slot).load(std::memory_order_relaxed), score});
    }
  }
}

}  // namespace engram
