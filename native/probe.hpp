// A query, and its distances to stored vectors at three grades, each more exact and dearer than the one before: the
// codes that steer a walk (sign bits; byte codes in low dimensions), the byte codes, and the raw vectors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph.hpp"
#include "types.hpp"
#include "view.hpp"

namespace engram {

struct Found {
  float score;
  Slot slot;
};

class Probe {
 public:
  static constexpr std::size_t kRowsMax = 256;

  explicit Probe(const Graph& graph);

  void aim(const float* query);
  const std::uint8_t* bits() const { return query_.bits.data(); }

  // Walking distances, as integers of the same order.
  void measure(const Slot* slots, std::size_t n, std::uint32_t* out);
  void prefetch_row(Slot slot) const;
  // Walking distances of slots [first, last), at most kRowsMax of them, within one chunk. Where sign bits alone steer,
  // these are Hamming distances: coarser than `measure` and comparable among themselves only.
  void scan(Slot first, Slot last, std::uint32_t* out);
  // The same of `n` slots that may lie anywhere.
  void scan(const Slot* slots, std::size_t n, std::uint32_t* out);

  // Sorts out the best `k` by byte codes and then by raw vectors; best first. What has a damaged raw vector is appended
  // to `damaged` instead.
  void rank(std::vector<Candidate>& candidates, std::size_t k, std::vector<Found>& found, std::vector<Slot>& damaged);

 private:
  using Candidates = std::span<const Candidate>;

  void measure_codes(std::vector<Candidate>& candidates);
  void score_all(Candidates candidates, std::vector<Found>& found, std::vector<Slot>& damaged);
  // The score that callers see, from the raw vector.
  float score(Slot slot);
  void ask_for(Slot slot) const;
  bool scans_by_bits() const { return by_bits_ && !graph_.geometry().uses_norms(); }
  const std::uint8_t* row(Slot slot) const { return by_bits_ ? table_.bits(slot) : table_.codes(slot); }

  const Graph& graph_;
  const SlotTable& table_;
  const bool by_bits_;
  std::vector<float> vector_;
  float norm_ = 0.0F;
  QueryCode query_;
  std::vector<const std::uint8_t*> rows_;
  std::vector<std::int32_t> sums_;
  std::vector<float> widened_;
};

}  // namespace engram
