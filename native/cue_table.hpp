// Standing recalls (subscriptions): many cues with thresholds, matched against each new vector as it arrives.
//
// A cue and a vector are first compared by byte codes, whose error is bounded (see kCosineError). Raw vectors are
// compared only if the codes do not rule out a match, so matching a thousand cues costs some ten microseconds per
// vector.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "graph.hpp"
#include "metric.hpp"
#include "types.hpp"

namespace engram {

struct Match {
  std::int64_t key;
  Generation generation;
  float score;
};

class CueTable {
 public:
  CueTable(std::size_t dim, Metric metric) : dim_(dim), metric_(metric) {}

  std::size_t dim() const { return dim_; }
  Metric metric() const { return metric_; }
  std::size_t size() const;
  // Adds a cue: vectors with a score of at least `threshold` match it. Replaces a cue that has the same key.
  void add(std::int64_t key, const float* vector, float threshold);
  bool remove(std::int64_t key);

  // Appends the matches of the slots [first, last) to `matches`, slot by slot. The graph must have the dimension and
  // metric of this table. A slot whose raw vector is needed but damaged is appended to `damaged` instead.
  void match(const Graph& graph, Slot first, Slot last, std::vector<Match>& matches, std::vector<Slot>& damaged);

 private:
  struct Cue {
    std::int64_t key;
    float threshold;
    float norm;        // Of the cue's vector.
    float coded_norm;  // Of the coded vector: relative to the codec's centre; 1 if the metric uses no norms.
  };

  bool remove_locked(std::int64_t key);
  void encode(const Codec& codec);
  float* vector(std::size_t i) { return vectors_.data() + i * dim_; }

  const std::size_t dim_;
  const Metric metric_;
  mutable std::mutex mutex_;
  std::vector<Cue> cues_;
  std::vector<float> vectors_;
  std::vector<std::uint8_t> codes_;
  std::size_t encoded_ = 0;  // Cues [0, encoded_) have codes.
  std::unordered_map<std::int64_t, std::size_t> places_;
  std::vector<const std::uint8_t*> rows_;
  std::vector<std::int32_t> dots_;
  std::vector<float> widened_;
};

}  // namespace engram
