// The parts of the kernels that do not depend on the instruction set.
//
// Float sums keep 16 partial sums: element i goes to partial sum i % 16, and a fixed tree adds them. One 16-lane, two
// 8-lane and four 4-lane registers all hold exactly these partial sums, so every path gets the same bits.
//
// Everything here is static. Each path is compiled with flags of its own, and if an inline function were shared, the
// linker could use its AVX-512 code on a CPU without AVX-512. For the same reason only kernels.cpp asks the CPU what it
// supports.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace engram {

inline constexpr std::size_t kPartials = 16;

static inline float sum_partials(const float* p) {
  float eight[8];
  for (int i = 0; i < 8; ++i) eight[i] = p[i] + p[i + 8];
  const float a = eight[0] + eight[4], b = eight[1] + eight[5], c = eight[2] + eight[6], d = eight[3] + eight[7];
  return (a + c) + (b + d);
}

// The stages of the transform whose butterflies are `stride_min` or more apart. These plain loops are vectorised by
// compilers.
static inline void fwht_wide_stages(float* x, std::size_t n, std::size_t stride_min) {
  for (std::size_t h = stride_min; h < n; h *= 2) {
    for (std::size_t i = 0; i < n; i += 2 * h) {
      float* __restrict low = x + i;
      float* __restrict high = x + i + h;
      for (std::size_t j = 0; j < h; ++j) {
        const float a = low[j];
        const float b = high[j];
        low[j] = a + b;
        high[j] = a - b;
      }
    }
  }
}

// Converts a half to a float: shifts the fields into place and renormalises by a multiplication (exact, also for
// subnormals).
static inline float widen_half(std::uint16_t half) {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7FFFU) << 13;
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  std::uint32_t bits = magnitude;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  value *= 0x1p112F;
  std::memcpy(&bits, &value, sizeof bits);
  // Infinities and NaNs in half precision must remain infinities and NaNs.
  if (magnitude >= 0x0F800000U) bits = 0x7F800000U | magnitude;
  bits |= sign;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

static inline std::uint64_t load_u64(const std::uint8_t* p) {
  std::uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// Whether so many of the generations are in each word that it pays to put words together before they are stored.
static inline bool are_dense(const std::int64_t* generations, std::size_t n) {
  return n >= 8 && static_cast<std::uint64_t>(generations[n - 1] - generations[0]) < 8 * n;
}

// Sets the bits of the generations for which passes(i) is 1, not of those for which it is 0.
template <class Passes>
static inline void mark_where(const std::int64_t* generations, std::size_t n, std::int64_t begin, std::uint64_t* bits,
                              Passes passes) {
  const auto row = [=](std::size_t i) { return static_cast<std::uint64_t>(generations[i] - begin); };
  if (are_dense(generations, n)) {
    for (std::size_t i = 0; i < n;) {
      const std::uint64_t place = row(i) / 64;
      std::uint64_t word = 0;
      for (; i < n && row(i) / 64 == place; ++i) word |= passes(i) << (row(i) % 64);
      bits[place] |= word;
    }
    return;
  }
  // To read a word back after each store would take longer than all else. Whether it is the one at hand is computed,
  // because nothing could predict it.
  std::uint64_t place = ~std::uint64_t{0};
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t same = std::uint64_t{0} - static_cast<std::uint64_t>(row(i) / 64 == place);
    place = row(i) / 64;
    word = (word & same) | (bits[place] & ~same) | passes(i) << (row(i) % 64);
    bits[place] = word;
  }
}

static inline void mark_each(const std::int64_t* generations, std::size_t n, const std::uint64_t* passed,
                             std::int64_t begin, std::uint64_t* bits) {
  if (passed == nullptr) {
    mark_where(generations, n, begin, bits, [](std::size_t) { return std::uint64_t{1}; });
  } else {
    mark_where(generations, n, begin, bits, [=](std::size_t i) { return passed[i / 64] >> (i % 64) & 1; });
  }
}

// Deals bits to the places set in each word, by deposit(bits, word).
template <class Deposit>
static inline void spread_by(const std::uint64_t* passed, std::size_t passed_words, const std::uint64_t* present,
                             std::size_t words, std::uint64_t* out, Deposit deposit) {
  const auto word_at = [=](std::size_t i) { return i < passed_words ? passed[i] : std::uint64_t{0}; };
  std::size_t done = 0;
  for (std::size_t i = 0; i < words; ++i) {
    const std::size_t shift = done % 64;
    std::uint64_t bits = word_at(done / 64) >> shift;
    if (shift != 0) bits |= word_at(done / 64 + 1) << (64 - shift);
    out[i] = deposit(bits, present[i]);
    done += static_cast<std::size_t>(std::popcount(present[i]));
  }
}

static inline void spread_each(const std::uint64_t* passed, std::size_t passed_words, const std::uint64_t* present,
                               std::size_t words, std::uint64_t* out) {
  spread_by(passed, passed_words, present, words, out, [](std::uint64_t bits, std::uint64_t places) {
    std::uint64_t word = 0;
    for (; places != 0; places &= places - 1, bits >>= 1) {
      word |= (std::uint64_t{0} - (bits & 1)) & places & (std::uint64_t{0} - places);
    }
    return word;
  });
}

static inline std::size_t count_each(const std::uint64_t* bits, std::size_t words) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < words; ++i) count += static_cast<std::size_t>(std::popcount(bits[i]));
  return count;
}

// Writes one bit for each of `n` rows, which `test` returns as 0 or 1 for a row.
template <class Test>
static inline void bits_of(std::size_t n, std::uint64_t* out, Test test) {
  for (std::size_t first = 0; first < n; first += 64) {
    const std::size_t rows = n - first < 64 ? n - first : 64;
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < rows; ++i) word |= static_cast<std::uint64_t>(test(first + i)) << i;
    out[first / 64] = word;
  }
}

static inline void within_each(const double* values, std::size_t n, double low, double high, std::uint64_t* out) {
  bits_of(n, out, [=](std::size_t i) {
    return static_cast<unsigned>(values[i] >= low) & static_cast<unsigned>(values[i] <= high);
  });
}

static inline void wanted_each(const std::int32_t* numbers, std::size_t n, const std::uint32_t* wanted,
                               std::size_t words, std::uint64_t* out) {
  bits_of(n, out, [=](std::size_t i) {
    const auto number = static_cast<std::uint32_t>(numbers[i]);
    return number / 32 < words ? wanted[number / 32] >> (number % 32) & 1U : 0U;
  });
}

static inline void wanted_each_u8(const std::uint8_t* numbers, std::size_t n, const std::uint32_t* wanted,
                                  std::uint64_t* out) {
  bits_of(n, out, [=](std::size_t i) { return wanted[numbers[i] / 32] >> (numbers[i] % 32) & 1U; });
}

static inline void wanted_each_f64(const double* values, std::size_t n, double low, const std::uint32_t* wanted,
                                   std::size_t words, std::uint64_t* out) {
  const double count = 32.0 * static_cast<double>(words);
  bits_of(n, out, [=](std::size_t i) {
    const double above = values[i] - low;
    const bool is_inside = above >= 0.0 && above < count;
    if (!is_inside) return 0U;
    const auto number = static_cast<std::uint32_t>(above);
    // The difference may have been rounded to a whole number.
    const bool is_whole = low + static_cast<double>(number) == values[i];
    return is_whole ? wanted[number / 32] >> (number % 32) & 1U : 0U;
  });
}

}  // namespace engram
