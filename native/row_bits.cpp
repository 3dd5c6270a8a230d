#include "row_bits.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <utility>

#include "kernels/kernels.hpp"

namespace engram {
namespace {

// Returns which of ascending generations have a bit: their first place, and the one behind their last.
std::pair<std::size_t, std::size_t> with_bits(ConstBits bits, std::int64_t begin, GenerationList generations) {
  const std::int64_t end = begin + static_cast<std::int64_t>(bits.size() * kWordBits);
  const auto first = std::lower_bound(generations.begin(), generations.end(), begin);
  return {first - generations.begin(), std::lower_bound(first, generations.end(), end) - generations.begin()};
}

// Whether each generation from the first to the last one is there.
bool is_gapless(GenerationList generations) {
  return static_cast<std::size_t>(generations.back() - generations.front()) + 1 == generations.size();
}

std::uint64_t low_bits(std::size_t count) {
  return count >= kWordBits ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

}  // namespace

std::size_t count_bits(ConstBits bits) { return kernels().count(bits.data(), bits.size()); }

void mark(Bits bits, std::int64_t begin, GenerationList generations) {
  const auto [first, end] = with_bits(bits, begin, generations);
  kernels().mark(generations.data() + first, end - first, nullptr, begin, bits.data());
}

void mark_passed(Bits bits, std::int64_t begin, GenerationList generations, ConstBits passed) {
  const auto [first, end] = with_bits(bits, begin, generations);
  if (first != 0) throw std::invalid_argument("the first generations have no bits");
  const GenerationList marked = generations.first(end);
  if (!marked.empty() && is_gapless(marked)) {
    put_at(bits, static_cast<std::size_t>(marked.front() - begin), passed, marked.size());
  } else {
    kernels().mark(marked.data(), marked.size(), passed.data(), begin, bits.data());
  }
}

void put_at(Bits bits, std::size_t offset, ConstBits others, std::size_t count) {
  const std::size_t shift = offset % kWordBits;
  std::size_t word = offset / kWordBits;
  for (std::size_t done = 0; done < count && word < bits.size(); done += kWordBits, ++word) {
    const std::uint64_t other = others[done / kWordBits] & low_bits(count - done);
    bits[word] |= other << shift;
    if (shift != 0 && word + 1 < bits.size()) bits[word + 1] |= other >> (kWordBits - shift);
  }
}

void list_bits(ConstBits bits, std::int64_t begin, std::int64_t* out) {
  for (std::size_t word = 0; word < bits.size(); ++word) {
    const std::int64_t first = begin + static_cast<std::int64_t>(word * kWordBits);
    for (std::uint64_t left = bits[word]; left != 0; left &= left - 1) *out++ = first + std::countr_zero(left);
  }
}

void rank_in(ConstBits bits, std::int64_t begin, GenerationList generations, std::int64_t* out) {
  std::size_t word = 0;
  std::int64_t before = 0;
  for (std::size_t i = 0; i < generations.size(); ++i) {
    const auto row = static_cast<std::size_t>(generations[i] - begin);
    for (; word < row / kWordBits; ++word) before += std::popcount(bits[word]);
    const std::uint64_t lower = bits[word] & low_bits(row % kWordBits);
    out[i] = (bits[word] >> (row % kWordBits) & 1) != 0 ? before + std::popcount(lower) : -1;
  }
}

}  // namespace engram
