// Kernels for x86 CPUs with AVX2, BMI2, FMA, F16C and POPCNT (Haswell and later).
#include "kernels.hpp"

#if defined(__AVX2__) && defined(__FMA__) && defined(__POPCNT__) && defined(__BMI2__)

#include <immintrin.h>

#include <bit>

#include "common.hpp"
#include "wanted_bytes.hpp"

namespace engram {
namespace {

inline __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

inline std::int32_t sum_epi32(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1));
  return _mm_cvtsi128_si32(s);
}

inline float sum_ps(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_shuffle_ps(s, s, 1));
  return _mm_cvtss_f32(s);
}

// Codes are at most a few dozen words long. At that length the scalar POPCNT is as fast as vector look-up tables, and
// easier to read.
inline std::uint32_t hamming(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < bytes; i += 8) {
    count += static_cast<std::uint64_t>(std::popcount(load_u64(a + i) ^ load_u64(b + i)));
  }
  return static_cast<std::uint32_t>(count);
}

void hamming_rows(const std::uint8_t* query, const std::uint8_t* const* rows, std::size_t n, std::size_t bytes,
                  std::uint32_t* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = hamming(query, rows[i], bytes);
}

void hamming_block(const std::uint8_t* query, const std::uint8_t* block, std::size_t stride, std::size_t n,
                   std::size_t bytes, std::uint32_t* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = hamming(query, block + i * stride, bytes);
}

void plane_rows(const std::uint8_t* planes, const std::uint8_t* const* rows, std::size_t n, std::size_t bytes,
                std::int32_t* out) {
  for (std::size_t r = 0; r < n; ++r) {
    std::int64_t weighted = 0;
    std::int64_t set = 0;
    for (std::size_t i = 0; i < bytes; i += 8) {
      const std::uint64_t row = load_u64(rows[r] + i);
      set += std::popcount(row);
      for (int b = 0; b < kPlanes; ++b) {
        weighted += static_cast<std::int64_t>(std::popcount(row & load_u64(planes + b * bytes + i))) << b;
      }
    }
    out[r] = static_cast<std::int32_t>(2 * weighted - 15 * set);
  }
}

void dot_rows(const std::int8_t* query, std::int32_t query_sum, const std::uint8_t* const* rows, std::size_t n,
              std::size_t dim, std::int32_t* out) {
  // Products of 8-bit codes are summed as 16-bit pairs after widening, because the byte multiply-add of AVX2 would
  // saturate.
  for (std::size_t r = 0; r < n; ++r) {
    const std::uint8_t* row = rows[r];
    __m256i a = _mm256_setzero_si256();
    __m256i b = _mm256_setzero_si256();
    for (std::size_t i = 0; i < dim; i += 32) {
      const __m256i codes = load(row + i);
      const __m256i q = load(query + i);
      a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm256_castsi256_si128(codes)),
                                                _mm256_cvtepi8_epi16(_mm256_castsi256_si128(q))));
      b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm256_extracti128_si256(codes, 1)),
                                                _mm256_cvtepi8_epi16(_mm256_extracti128_si256(q, 1))));
    }
    out[r] = sum_epi32(_mm256_add_epi32(a, b)) - 128 * query_sum;
  }
}

std::int32_t unbias(const std::uint8_t* row, std::size_t dim, std::int8_t* out) {
  const __m256i flip = _mm256_set1_epi8(static_cast<char>(0x80));
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t i = 0; i < dim; i += 32) {
    const __m256i biased = load(row + i);
    sum = _mm256_add_epi64(sum, _mm256_sad_epu8(biased, _mm256_setzero_si256()));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm256_xor_si256(biased, flip));
  }
  // Each 64-bit lane holds a small sum, so its upper half is zero, and adding it does no harm.
  return sum_epi32(sum) - 128 * static_cast<std::int32_t>(dim);
}

void fwht(float* x, std::size_t n) {
  const __m256 odd = _mm256_castsi256_ps(_mm256_setr_epi32(0, -1, 0, -1, 0, -1, 0, -1));
  const __m256 upper_pairs = _mm256_castsi256_ps(_mm256_setr_epi32(0, 0, -1, -1, 0, 0, -1, -1));
  const __m256 upper_half = _mm256_castsi256_ps(_mm256_setr_epi32(0, 0, 0, 0, -1, -1, -1, -1));
  const auto butterfly = [](__m256 v, __m256 partner, __m256 negative) {
    return _mm256_blendv_ps(_mm256_add_ps(partner, v), _mm256_sub_ps(partner, v), negative);
  };
  for (std::size_t i = 0; i < n; i += 8) {
    __m256 v = _mm256_loadu_ps(x + i);
    v = butterfly(v, _mm256_permute_ps(v, 0xB1), odd);
    v = butterfly(v, _mm256_permute_ps(v, 0x4E), upper_pairs);
    v = butterfly(v, _mm256_permute2f128_ps(v, v, 0x01), upper_half);
    _mm256_storeu_ps(x + i, v);
  }
  fwht_wide_stages(x, n, 8);
}

void quantise(const float* x, std::size_t dim, float scale, std::uint8_t* codes) {
  const __m256 factor = _mm256_set1_ps(scale);
  alignas(32) std::int32_t values[8];
  for (std::size_t i = 0; i < dim; i += 8) {
    __m256i v = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), factor));
    v = _mm256_max_epi32(_mm256_min_epi32(v, _mm256_set1_epi32(127)), _mm256_set1_epi32(-127));
    _mm256_store_si256(reinterpret_cast<__m256i*>(values), _mm256_add_epi32(v, _mm256_set1_epi32(128)));
    for (int j = 0; j < 8; ++j) codes[i + j] = static_cast<std::uint8_t>(values[j]);
  }
}

float sign_bits(const float* x, std::size_t dim, std::uint8_t* bits) {
  const __m256 absolute = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
  __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (std::size_t i = 0; i < dim; i += 8) {
    const __m256 v = _mm256_loadu_ps(x + i);
    bits[i / 8] = static_cast<std::uint8_t>(_mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_GT_OQ)));
    __m256& sum = sums[(i / 8) % 2];
    sum = _mm256_add_ps(sum, _mm256_and_ps(v, absolute));
  }
  float partials[kPartials];
  _mm256_storeu_ps(partials, sums[0]);
  _mm256_storeu_ps(partials + 8, sums[1]);
  return sum_partials(partials);
}

std::int32_t make_planes(const float* x, std::size_t dim, float scale, std::uint8_t* planes) {
  const std::size_t bytes = dim / 8;
  const __m256 factor = _mm256_set1_ps(scale);
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t i = 0; i < dim; i += 8) {
    const __m256 shifted = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), factor), _mm256_set1_ps(8.0F));
    __m256i v = _mm256_cvtps_epi32(_mm256_floor_ps(shifted));
    v = _mm256_max_epi32(_mm256_min_epi32(v, _mm256_set1_epi32(15)), _mm256_setzero_si256());
    sum = _mm256_add_epi32(sum, v);
    for (int b = 0; b < kPlanes; ++b) {
      const __m256 top = _mm256_castsi256_ps(_mm256_slli_epi32(v, 31 - b));
      planes[b * bytes + i / 8] = static_cast<std::uint8_t>(_mm256_movemask_ps(top));
    }
  }
  return sum_epi32(sum);
}

float squared_norm(const float* x, std::size_t dim) {
  __m256 low = _mm256_setzero_ps();
  __m256 high = _mm256_setzero_ps();
  std::size_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    const __m256 a = _mm256_loadu_ps(x + i);
    const __m256 b = _mm256_loadu_ps(x + i + 8);
    low = _mm256_add_ps(low, _mm256_mul_ps(a, a));
    high = _mm256_add_ps(high, _mm256_mul_ps(b, b));
  }
  float partials[kPartials];
  _mm256_storeu_ps(partials, low);
  _mm256_storeu_ps(partials + 8, high);
  for (; i < dim; ++i) partials[i % kPartials] += x[i] * x[i];
  return sum_partials(partials);
}

void widen(const std::uint16_t* x, std::size_t n, float* out) {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
  }
  for (; i < n; ++i) out[i] = widen_half(x[i]);
}

// A sum waits several cycles for its own last addition, so both functions below keep four sums that do not wait for
// each other.
constexpr std::size_t kSums = 4;

float sum_of_sums(const __m256* s) {
  return sum_ps(_mm256_add_ps(_mm256_add_ps(s[0], s[1]), _mm256_add_ps(s[2], s[3])));
}

float dot_f32(const float* a, const float* b, std::size_t dim) {
  __m256 s[kSums] = {};
  const auto add = [&](std::size_t i, __m256& sum) {
    sum = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum);
  };
  std::size_t i = 0;
  for (; i + 8 * kSums <= dim; i += 8 * kSums) {
    for (std::size_t j = 0; j < kSums; ++j) add(i + 8 * j, s[j]);
  }
  for (; i + 8 <= dim; i += 8) add(i, s[0]);
  float sum = sum_of_sums(s);
  for (; i < dim; ++i) sum += a[i] * b[i];
  return sum;
}

float l2_f32(const float* a, const float* b, std::size_t dim) {
  __m256 s[kSums] = {};
  const auto add = [&](std::size_t i, __m256& sum) {
    const __m256 d = _mm256_sub_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
    sum = _mm256_fmadd_ps(d, d, sum);
  };
  std::size_t i = 0;
  for (; i + 8 * kSums <= dim; i += 8 * kSums) {
    for (std::size_t j = 0; j < kSums; ++j) add(i + 8 * j, s[j]);
  }
  for (; i + 8 <= dim; i += 8) add(i, s[0]);
  float sum = sum_of_sums(s);
  for (; i < dim; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

void within_f64(const double* values, std::size_t n, double low, double high, std::uint64_t* out) {
  const __m256d least = _mm256_set1_pd(low);
  const __m256d most = _mm256_set1_pd(high);
  std::size_t first = 0;
  for (; first + 64 <= n; first += 64) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 64; i += 4) {
      const __m256d v = _mm256_loadu_pd(values + first + i);
      const __m256d inside = _mm256_and_pd(_mm256_cmp_pd(v, least, _CMP_GE_OQ), _mm256_cmp_pd(v, most, _CMP_LE_OQ));
      word |= static_cast<std::uint64_t>(_mm256_movemask_pd(inside)) << i;
    }
    out[first / 64] = word;
  }
  within_each(values + first, n - first, low, high, out + first / 64);
}

// Up to so many words, all that is wanted fits into a register.
constexpr std::size_t kRegisterWords = 8;

// The numbers that are wanted, as `wanted_i32` gets them.
class Wanted {
 public:
  Wanted(const std::uint32_t* wanted, std::size_t words)
      : wanted_(reinterpret_cast<const int*>(wanted)),
        in_register_(words <= kRegisterWords),
        table_(_mm256_setzero_si256()),
        count_(_mm256_set1_epi32(static_cast<int>(words))) {
    if (!in_register_) return;
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    table_ = _mm256_maskload_epi32(wanted_, _mm256_cmpgt_epi32(count_, lanes));
  }

  // Which of eight numbers are.
  unsigned of(__m256i number) const {
    const __m256i place = _mm256_srli_epi32(number, 5);
    const __m256i known = _mm256_cmpgt_epi32(count_, place);
    const __m256i bits = in_register_ ? _mm256_permutevar8x32_epi32(table_, place)
                                      : _mm256_mask_i32gather_epi32(_mm256_setzero_si256(), wanted_, place, known, 4);
    // The bit of each number becomes the sign of its lane.
    const __m256i sign = _mm256_sllv_epi32(bits, _mm256_andnot_si256(number, _mm256_set1_epi32(31)));
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_and_si256(sign, known))));
  }

 private:
  const int* wanted_;
  bool in_register_;
  __m256i table_;
  __m256i count_;
};

void wanted_i32(const std::int32_t* numbers, std::size_t n, const std::uint32_t* wanted, std::size_t words,
                std::uint64_t* out) {
  const Wanted sought(wanted, words);
  std::size_t first = 0;
  for (; first + 64 <= n; first += 64) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 64; i += 8) {
      const __m256i number = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers + first + i));
      word |= static_cast<std::uint64_t>(sought.of(number)) << i;
    }
    out[first / 64] = word;
  }
  wanted_each(numbers + first, n - first, wanted, words, out + first / 64);
}

void wanted_f64(const double* values, std::size_t n, double low, const std::uint32_t* wanted, std::size_t words,
                std::uint64_t* out) {
  const Wanted sought(wanted, words);
  const __m256d least = _mm256_set1_pd(low);
  // Which of four values are `low` plus a whole number.
  const auto exact = [&](__m256d v, __m128i number) {
    const __m256d sum = _mm256_add_pd(least, _mm256_cvtepi32_pd(number));
    return static_cast<unsigned>(_mm256_movemask_pd(_mm256_cmp_pd(sum, v, _CMP_EQ_OQ)));
  };
  std::size_t first = 0;
  for (; first + 64 <= n; first += 64) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 64; i += 8) {
      const __m256d v = _mm256_loadu_pd(values + first + i);
      const __m256d w = _mm256_loadu_pd(values + first + i + 4);
      // What is too large or too small for 32 bits becomes a number that is above all that are wanted.
      const __m128i number = _mm256_cvttpd_epi32(_mm256_sub_pd(v, least));
      const __m128i other = _mm256_cvttpd_epi32(_mm256_sub_pd(w, least));
      const unsigned found = sought.of(_mm256_set_m128i(other, number));
      word |= static_cast<std::uint64_t>(found & (exact(v, number) | exact(w, other) << 4)) << i;
    }
    out[first / 64] = word;
  }
  wanted_each_f64(values + first, n - first, low, wanted, words, out + first / 64);
}

void spread(const std::uint64_t* passed, std::size_t passed_words, const std::uint64_t* present, std::size_t words,
            std::uint64_t* out) {
  spread_by(passed, passed_words, present, words, out,
            [](std::uint64_t bits, std::uint64_t places) { return _pdep_u64(bits, places); });
}

constexpr Kernels kAvx2{"avx2",     hamming_rows, hamming_block, plane_rows,   dot_rows,  unbias,  fwht,
                        quantise,   sign_bits,    make_planes,   squared_norm, widen,     dot_f32, l2_f32,
                        within_f64, wanted_i32,   wanted_u8,     wanted_f64,   mark_each, spread,  count_each};

}  // namespace

const Kernels* avx2_kernels_compiled() { return &kAvx2; }

}  // namespace engram

#else

namespace engram {
const Kernels* avx2_kernels_compiled() { return nullptr; }
}  // namespace engram

#endif
