// Standing cues: many queries with thresholds, matched against each new vector as it arrives.
//
// A pair is first compared by byte codes, whose error is bounded, and by raw vectors only where that leaves it open or
// the pair matches; so a thousand cues cost some ten microseconds per vector.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "graph.hpp"
#include "types.hpp"

namespace engram {

struct Match {
  std::uint64_t key;
  Generation generation;
  float score;
};

class CueTable {
 public:
  CueTable(std::size_t dim, Metric metric) : dim_(dim), metric_(metric) {}

  std::size_t dim() const { return dim_; }
  Metric metric() const { return metric_; }
  std::size_t size() const;
  // Vectors with a score of at least `threshold` match. A key that is there already gets the new cue.
  void add(std::uint64_t key, const float* vector, float threshold);
  bool remove(std::uint64_t key);

  // Appends the matches of the slots [first, last) of a graph of the same dimension and metric, slot by slot. What
  // would have to be compared by a raw vector that is damaged is appended to `damaged`.
  void match(const Graph& graph, Slot first, Slot last, std::vector<Match>& matches, std::vector<Slot>& damaged);

 private:
  struct Cue {
    std::uint64_t key;
    float threshold;
    float norm;        // Of the vector.
    float coded_norm;  // Of what is coded: the same, but for a graph with a centre.
  };

  void encode(const Codec& codec);
  // The score that the codes allow at most.
  float bound(const Cue& cue, float cosine, float norm) const;
  float* vector(std::size_t i) { return vectors_.data() + i * dim_; }

  const std::size_t dim_;
  const Metric metric_;
  mutable std::mutex mutex_;
  std::vector<Cue> cues_;
  std::vector<float> vectors_;
  std::vector<std::uint8_t> codes_;
  std::size_t encoded_ = 0;  // The first so many cues have codes.
  std::unordered_map<std::uint64_t, std::size_t> places_;
  std::vector<const std::uint8_t*> rows_;
  std::vector<std::int32_t> dots_;
  std::vector<float> widened_;
};

}  // namespace engram
