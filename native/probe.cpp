#include "probe.hpp"

#include <algorithm>
#include <cmath>

#include "cpu.hpp"
#include "pages.hpp"
#include "raw_check.hpp"

namespace engram {
namespace {

// Byte codes are exact enough that few more than `k` candidates need their raw vectors, each of which may cost a disk
// page.
constexpr std::size_t kRerankMin = 16;

}  // namespace

Probe::Probe(const Graph& graph)
    : graph_(graph), table_(graph.table()), by_bits_(graph.codec().bits_steer()), rows_(kRowsMax), sums_(kRowsMax) {}

void Probe::aim(const float* query) {
  vector_.assign(query, query + graph_.codec().dim());
  norm_ = norm_of(query, graph_.codec().dim());
  graph_.codec().encode_query(query, query_);
}

void Probe::aim_as(const Probe& other) {
  vector_ = other.vector_;
  norm_ = other.norm_;
  query_ = other.query_;
}

void Probe::prefetch_row(Slot slot) const {
  prefetch(row(slot), by_bits_ ? graph_.codec().bit_row_bytes() : table_.code_stride());
}

void Probe::measure(const Slot* slots, std::size_t n, std::uint32_t* out) {
  const Kernels& k = kernels();
  const Codec& codec = graph_.codec();
  const Geometry& geometry = graph_.geometry();
  if (codec.is_short()) {
    const ShortCode query = load_short(query_.codes.data());
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = ordered_bits(geometry.query_distance(query, load_short(table_.codes(slots[i]))));
    }
    return;
  }
  for (std::size_t i = 0; i < n; ++i) rows_[i] = row(slots[i]);
  if (by_bits_) {
    k.plane_rows(query_.planes.data(), rows_.data(), n, codec.bit_bytes(), sums_.data());
  } else {
    k.dot_rows(query_.codes.data(), query_.code_sum, rows_.data(), n, codec.code_dim(), sums_.data());
  }
  for (std::size_t i = 0; i < n; ++i) {
    float cosine = static_cast<float>(sums_[i]) / codec.code_unit();
    float norm = 1.0F;
    if (by_bits_ || geometry.uses_norms()) {
      const BitRowTail tail = codec.tail(table_.bits(slots[i]));
      norm = tail.norm;
      if (by_bits_) cosine = query_.plane_step * (static_cast<float>(sums_[i]) - query_.plane_offset) * tail.inverse_l1;
    }
    out[i] = ordered_bits(geometry.query_distance(cosine, query_.norm, norm));
  }
}

void Probe::scan(Slot first, Slot last, std::uint32_t* out) {
  if (scans_by_bits()) {
    kernels().hamming_block(query_.bits.data(), table_.bits(first), table_.bit_stride(), last - first,
                            graph_.codec().bit_bytes(), out);
    return;
  }
  Slot slots[kRowsMax];
  for (Slot slot = first; slot < last; ++slot) slots[slot - first] = slot;
  measure(slots, last - first, out);
}

void Probe::scan(const Slot* slots, std::size_t n, std::uint32_t* out) {
  if (!scans_by_bits()) {
    measure(slots, n, out);
    return;
  }
  for (std::size_t i = 0; i < n; ++i) rows_[i] = table_.bits(slots[i]);
  kernels().hamming_rows(query_.bits.data(), rows_.data(), n, graph_.codec().bit_bytes(), out);
}

void Probe::rank(std::vector<Candidate>& candidates, std::size_t k, std::vector<Found>& found,
                 std::vector<Slot>& damaged) {
  found.clear();
  const std::size_t keep = std::max(kRerankMin, k + k / 2);
  if (candidates.size() > keep) measure_codes(candidates);
  // One round is enough, unless damage leaves too few results.
  for (auto begin = candidates.begin(); begin != candidates.end() && found.size() < k;) {
    const auto left = static_cast<std::size_t>(candidates.end() - begin);
    const auto end = begin + static_cast<std::ptrdiff_t>(std::min(keep, left));
    if (end != candidates.end()) std::nth_element(begin, end, candidates.end());
    score_all(Candidates(begin, end), found, damaged);
    begin = end;
  }
  sort_best(k, found);
}

void Probe::rank_exactly(std::vector<Candidate>& candidates, std::size_t k, std::vector<Found>& found,
                         std::vector<Slot>& damaged) {
  found.clear();
  score_all(candidates, found, damaged);
  sort_best(k, found);
}

void Probe::sort_best(std::size_t k, std::vector<Found>& found) {
  k = std::min(k, found.size());
  const auto better = [](const Found& a, const Found& b) {
    return a.score != b.score ? a.score > b.score : a.slot < b.slot;
  };
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(k), found.end(), better);
  found.resize(k);
}

void Probe::score_all(Candidates candidates, std::vector<Found>& found, std::vector<Slot>& damaged) {
  // Vectors that are only on the disk are requested together. Requesting vectors that are in memory costs next to
  // nothing.
  for (const Candidate& candidate : candidates) ask_for(candidate.link);
  for (std::size_t done = 0; done < candidates.size(); done += kRawGroup) {
    const std::size_t n = std::min(kRawGroup, candidates.size() - done);
    Slot slots[kRawGroup];
    bool sound[kRawGroup];
    for (std::size_t i = 0; i < n; ++i) slots[i] = candidates[done + i].link;
    check_raw(table_, graph_.codec().dim(), slots, n, sound);
    for (std::size_t i = 0; i < n; ++i) {
      if (sound[i]) {
        found.push_back({score(slots[i]), slots[i]});
      } else {
        damaged.push_back(slots[i]);
      }
    }
  }
}

void Probe::ask_for(Slot slot) const {
  const RawVector raw = table_.raw(slot).load(std::memory_order_acquire);
  engram::ask_for(reinterpret_cast<const void*>(raw.address()), raw.nbytes(graph_.codec().dim()));
}

void Probe::measure_codes(std::vector<Candidate>& candidates) {
  const Codec& codec = graph_.codec();
  const Geometry& geometry = graph_.geometry();
  const std::size_t n = candidates.size();
  if (codec.is_short()) {
    const ShortCode query = load_short(query_.codes.data());
    for (Candidate& candidate : candidates) {
      candidate.distance = geometry.query_distance(query, load_short(table_.codes(candidate.link)));
    }
    return;
  }
  rows_.resize(std::max(rows_.size(), n));
  sums_.resize(std::max(sums_.size(), n));
  for (std::size_t i = 0; i < n; ++i) {
    rows_[i] = table_.codes(candidates[i].link);
    prefetch(rows_[i], table_.code_stride());
  }
  kernels().dot_rows(query_.codes.data(), query_.code_sum, rows_.data(), n, codec.code_dim(), sums_.data());
  for (std::size_t i = 0; i < n; ++i) {
    const float norm = geometry.uses_norms() ? codec.tail(table_.bits(candidates[i].link)).norm : 1.0F;
    const float cosine = static_cast<float>(sums_[i]) / codec.code_unit();
    candidates[i].distance = geometry.query_distance(cosine, query_.norm, norm);
  }
}

float Probe::score(Slot slot) {
  const std::size_t dim = graph_.codec().dim();
  const float* raw = floats_of(table_.raw(slot).load(std::memory_order_acquire), dim, widened_);
  return exact_score(graph_.geometry().metric(), vector_.data(), norm_, raw, dim);
}

}  // namespace engram
