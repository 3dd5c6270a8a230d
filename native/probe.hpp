// A query and its distances to stored vectors at three levels, each more exact and more expensive than the one before:
// the codes that steer a walk (sign bits; byte codes in low dimensions), the byte codes, and the raw vectors.
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
  // Aims at the query of another one.
  void aim_as(const Probe& other);
  const std::uint8_t* entry_row() const { return graph_.codec().entry_row(query_); }

  // Writes the walking distances of `n` slots, at most kRowsMax, as integers of the same order.
  void measure(const Slot* slots, std::size_t n, std::uint32_t* out);
  void prefetch_row(Slot slot) const;
  // Writes the walking distances of the slots [first, last), at most kRowsMax of them, within one chunk. Where sign
  // bits alone steer walks, these are Hamming distances: coarser than those of `measure`, and comparable only among
  // themselves.
  void scan(Slot first, Slot last, std::uint32_t* out);
  // As the other `scan`, for `n` slots, at most kRowsMax, that may lie anywhere.
  void scan(const Slot* slots, std::size_t n, std::uint32_t* out);

  // Selects the best `k` candidates by byte codes and then by raw vectors, and writes them to `found`, best first. A
  // candidate whose raw vector is damaged is appended to `damaged` instead.
  void rank(std::vector<Candidate>& candidates, std::size_t k, std::vector<Found>& found, std::vector<Slot>& damaged);
  // As `rank`, by raw vectors alone.
  void rank_exactly(std::vector<Candidate>& candidates, std::size_t k, std::vector<Found>& found,
                    std::vector<Slot>& damaged);

 private:
  using Candidates = std::span<const Candidate>;

  void measure_codes(std::vector<Candidate>& candidates);
  void score_all(Candidates candidates, std::vector<Found>& found, std::vector<Slot>& damaged);
  // Keeps the best `k` of what was found, best first.
  static void sort_best(std::size_t k, std::vector<Found>& found);
  // The score that callers see, computed from the raw vector.
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
