// Kernels for x86 CPUs with AVX-512 F/BW/DQ/VL, VNNI and VPOPCNTDQ (Ice Lake, Zen 4 and later).
#include "kernels.hpp"

#if defined(__AVX512VNNI__) && defined(__AVX512VPOPCNTDQ__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__)

#include <immintrin.h>

#include <bit>

#include "common.hpp"
#include "wanted_bytes.hpp"

namespace engram {
namespace {

// Codes of up to 128 bytes (1024 dimensions) fit into two registers, so the query stays in registers for all rows.
constexpr std::size_t kTwoRegisters = 128;

__mmask8 qword_mask(std::size_t bytes) {
  return bytes >= 64 ? __mmask8{0xFF} : static_cast<__mmask8>((1U << (bytes / 8)) - 1U);
}

// A code of at most two registers. Bytes beyond its end are not read and count as zero.
struct Pair {
  __m512i low, high;
};

struct PairMask {
  __mmask8 low, high;
  explicit PairMask(std::size_t bytes) : low(qword_mask(bytes)), high(qword_mask(bytes > 64 ? bytes - 64 : 0)) {}
  Pair load(const std::uint8_t* p) const {
    return {_mm512_maskz_loadu_epi64(low, p), _mm512_maskz_loadu_epi64(high, p + 64)};
  }
};

inline __m512i count_bits(const Pair& p) {
  return _mm512_add_epi64(_mm512_popcnt_epi64(p.low), _mm512_popcnt_epi64(p.high));
}

inline __m512i count_difference(const Pair& a, const Pair& b) {
  return count_bits({_mm512_xor_si512(a.low, b.low), _mm512_xor_si512(a.high, b.high)});
}

inline __m512i count_common(const Pair& a, const Pair& b) {
  return count_bits({_mm512_and_si512(a.low, b.low), _mm512_and_si512(a.high, b.high)});
}

std::uint32_t hamming_long(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
  __m512i count = _mm512_setzero_si512();
  for (std::size_t i = 0; i < bytes; i += 64) {
    const __mmask8 mask = qword_mask(bytes - i);
    const __m512i difference =
        _mm512_xor_si512(_mm512_maskz_loadu_epi64(mask, a + i), _mm512_maskz_loadu_epi64(mask, b + i));
    count = _mm512_add_epi64(count, _mm512_popcnt_epi64(difference));
  }
  return static_cast<std::uint32_t>(_mm512_reduce_add_epi64(count));
}

// Returns the sums of eight registers of eight counts each, in order.
inline __m256i sum_each(const __m512i* counts) {
  __m512i pairs[4];
  for (std::size_t i = 0; i < 4; ++i) {
    const __m512i a = counts[2 * i];
    const __m512i b = counts[2 * i + 1];
    pairs[i] = _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
  }
  const auto fold = [](__m512i a, __m512i b) {
    return _mm512_add_epi64(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xDD));
  };
  return _mm512_cvtepi64_epi32(fold(fold(pairs[0], pairs[1]), fold(pairs[2], pairs[3])));
}

// `row(i)` returns the address of the i-th row. `count` returns the number of differing bits of a row, for each lane.
template <class Row, class Count>
inline void hamming_by_eights(Row row, std::size_t n, Count count, std::uint32_t* out) {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m512i counts[8];
    for (std::size_t j = 0; j < 8; ++j) counts[j] = count(row(i + j));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), sum_each(counts));
  }
  for (; i < n; ++i) out[i] = static_cast<std::uint32_t>(_mm512_reduce_add_epi64(count(row(i))));
}

template <class Row>
inline void hamming(const std::uint8_t* query, Row row, std::size_t n, std::size_t bytes, std::uint32_t* out) {
  if (bytes > kTwoRegisters) {
    for (std::size_t i = 0; i < n; ++i) out[i] = hamming_long(query, row(i), bytes);
    return;
  }
  const PairMask mask(bytes);
  const Pair q = mask.load(query);
  if (bytes > 64) {
    hamming_by_eights(row, n, [&](const std::uint8_t* r) { return count_difference(q, mask.load(r)); }, out);
    return;
  }
  const auto count = [&](const std::uint8_t* r) {
    return _mm512_popcnt_epi64(_mm512_xor_si512(q.low, _mm512_maskz_loadu_epi64(mask.low, r)));
  };
  hamming_by_eights(row, n, count, out);
}

void hamming_rows(const std::uint8_t* query, const std::uint8_t* const* rows, std::size_t n, std::size_t bytes,
                  std::uint32_t* out) {
  hamming(query, [&](std::size_t i) { return rows[i]; }, n, bytes, out);
}

void hamming_block(const std::uint8_t* query, const std::uint8_t* block, std::size_t stride, std::size_t n,
                   std::size_t bytes, std::uint32_t* out) {
  hamming(query, [&](std::size_t i) { return block + i * stride; }, n, bytes, out);
}

// Returns 2 * (plane counts by weight) - 15 * (set bits), for each lane.
inline __m512i plane_sum(__m512i set, const __m512i* counts) {
  const __m512i low = _mm512_add_epi64(counts[0], _mm512_slli_epi64(counts[1], 1));
  const __m512i high = _mm512_add_epi64(_mm512_slli_epi64(counts[2], 2), _mm512_slli_epi64(counts[3], 3));
  const __m512i fifteen = _mm512_sub_epi64(_mm512_slli_epi64(set, 4), set);
  return _mm512_sub_epi64(_mm512_slli_epi64(_mm512_add_epi64(low, high), 1), fifteen);
}

std::int32_t plane_long(const std::uint8_t* planes, const std::uint8_t* row, std::size_t bytes) {
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i < bytes; i += 64) {
    const __mmask8 mask = qword_mask(bytes - i);
    const __m512i bits = _mm512_maskz_loadu_epi64(mask, row + i);
    __m512i counts[kPlanes];
    for (std::size_t b = 0; b < kPlanes; ++b) {
      const __m512i plane = _mm512_maskz_loadu_epi64(mask, planes + b * bytes + i);
      counts[b] = _mm512_popcnt_epi64(_mm512_and_si512(bits, plane));
    }
    sum = _mm512_add_epi64(sum, plane_sum(_mm512_popcnt_epi64(bits), counts));
  }
  return static_cast<std::int32_t>(_mm512_reduce_add_epi64(sum));
}

void plane_rows(const std::uint8_t* planes, const std::uint8_t* const* rows, std::size_t n, std::size_t bytes,
                std::int32_t* out) {
  if (bytes > kTwoRegisters) {
    for (std::size_t i = 0; i < n; ++i) out[i] = plane_long(planes, rows[i], bytes);
    return;
  }
  const PairMask mask(bytes);
  const Pair q[kPlanes] = {mask.load(planes), mask.load(planes + bytes), mask.load(planes + 2 * bytes),
                           mask.load(planes + 3 * bytes)};
  for (std::size_t i = 0; i < n; ++i) {
    const Pair row = mask.load(rows[i]);
    const __m512i counts[kPlanes] = {count_common(row, q[0]), count_common(row, q[1]), count_common(row, q[2]),
                                     count_common(row, q[3])};
    out[i] = static_cast<std::int32_t>(_mm512_reduce_add_epi64(plane_sum(count_bits(row), counts)));
  }
}

void dot_rows(const std::int8_t* query, std::int32_t query_sum, const std::uint8_t* const* rows, std::size_t n,
              std::size_t dim, std::int32_t* out) {
  const std::int32_t bias = 128 * query_sum;
  std::size_t r = 0;
  // Two rows share the loads of the query and keep both multipliers busy.
  for (; r + 2 <= n; r += 2) {
    const std::uint8_t* first = rows[r];
    const std::uint8_t* second = rows[r + 1];
    __m512i a = _mm512_setzero_si512();
    __m512i b = _mm512_setzero_si512();
    for (std::size_t i = 0; i < dim; i += 64) {
      const __m512i q = _mm512_loadu_si512(query + i);
      a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(first + i), q);
      b = _mm512_dpbusd_epi32(b, _mm512_loadu_si512(second + i), q);
    }
    out[r] = _mm512_reduce_add_epi32(a) - bias;
    out[r + 1] = _mm512_reduce_add_epi32(b) - bias;
  }
  if (r < n) {
    __m512i a = _mm512_setzero_si512();
    for (std::size_t i = 0; i < dim; i += 64) {
      a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(rows[r] + i), _mm512_loadu_si512(query + i));
    }
    out[r] = _mm512_reduce_add_epi32(a) - bias;
  }
}

std::int32_t unbias(const std::uint8_t* row, std::size_t dim, std::int8_t* out) {
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i < dim; i += 64) {
    const __m512i biased = _mm512_loadu_si512(row + i);
    sum = _mm512_dpbusd_epi32(sum, biased, ones);
    _mm512_storeu_si512(out + i, _mm512_xor_si512(biased, flip));
  }
  return _mm512_reduce_add_epi32(sum) - 128 * static_cast<std::int32_t>(dim);
}

// One butterfly stage inside a register: lanes whose bit in `negative` is set get partner - x, and the other lanes get
// partner + x.
inline __m512 butterfly(__m512 x, __m512 partner, __mmask16 negative) {
  return _mm512_mask_sub_ps(_mm512_add_ps(partner, x), negative, partner, x);
}

void fwht(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 16) {
    __m512 v = _mm512_loadu_ps(x + i);
    v = butterfly(v, _mm512_permute_ps(v, 0xB1), 0xAAAA);
    v = butterfly(v, _mm512_permute_ps(v, 0x4E), 0xCCCC);
    v = butterfly(v, _mm512_shuffle_f32x4(v, v, 0xB1), 0xF0F0);
    v = butterfly(v, _mm512_shuffle_f32x4(v, v, 0x4E), 0xFF00);
    _mm512_storeu_ps(x + i, v);
  }
  fwht_wide_stages(x, n, 16);
}

void quantise(const float* x, std::size_t dim, float scale, std::uint8_t* codes) {
  const __m512 factor = _mm512_set1_ps(scale);
  for (std::size_t i = 0; i < dim; i += 16) {
    __m512i v = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i), factor));
    v = _mm512_max_epi32(_mm512_min_epi32(v, _mm512_set1_epi32(127)), _mm512_set1_epi32(-127));
    v = _mm512_add_epi32(v, _mm512_set1_epi32(128));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + i), _mm512_cvtepi32_epi8(v));
  }
}

float sign_bits(const float* x, std::size_t dim, std::uint8_t* bits) {
  __m512 sum = _mm512_setzero_ps();
  for (std::size_t i = 0; i < dim; i += 16) {
    const __m512 v = _mm512_loadu_ps(x + i);
    const std::uint16_t mask = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_GT_OQ);
    std::memcpy(bits + i / 8, &mask, sizeof mask);
    sum = _mm512_add_ps(sum, _mm512_abs_ps(v));
  }
  float partials[kPartials];
  _mm512_storeu_ps(partials, sum);
  return sum_partials(partials);
}

std::int32_t make_planes(const float* x, std::size_t dim, float scale, std::uint8_t* planes) {
  const std::size_t bytes = dim / 8;
  const __m512 factor = _mm512_set1_ps(scale);
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i < dim; i += 16) {
    const __m512 shifted = _mm512_add_ps(_mm512_mul_ps(_mm512_loadu_ps(x + i), factor), _mm512_set1_ps(8.0F));
    const __m512 floored = _mm512_roundscale_ps(shifted, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512i v = _mm512_cvtps_epi32(floored);
    v = _mm512_max_epi32(_mm512_min_epi32(v, _mm512_set1_epi32(15)), _mm512_setzero_si512());
    sum = _mm512_add_epi32(sum, v);
    for (int b = 0; b < kPlanes; ++b) {
      const std::uint16_t mask = _mm512_test_epi32_mask(v, _mm512_set1_epi32(1 << b));
      std::memcpy(planes + b * bytes + i / 8, &mask, sizeof mask);
    }
  }
  return _mm512_reduce_add_epi32(sum);
}

float squared_norm(const float* x, std::size_t dim) {
  __m512 sum = _mm512_setzero_ps();
  std::size_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    const __m512 v = _mm512_loadu_ps(x + i);
    sum = _mm512_add_ps(sum, _mm512_mul_ps(v, v));
  }
  float partials[kPartials];
  _mm512_storeu_ps(partials, sum);
  for (; i < dim; ++i) partials[i % kPartials] += x[i] * x[i];
  return sum_partials(partials);
}

void widen(const std::uint16_t* x, std::size_t n, float* out) {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
    _mm512_storeu_ps(out + i, _mm512_cvtph_ps(halves));
  }
  for (; i < n; ++i) out[i] = widen_half(x[i]);
}

float dot_f32(const float* a, const float* b, std::size_t dim) {
  __m512 s = _mm512_setzero_ps();
  __m512 t = _mm512_setzero_ps();
  std::size_t i = 0;
  for (; i + 32 <= dim; i += 32) {
    s = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s);
    t = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), t);
  }
  float sum = _mm512_reduce_add_ps(_mm512_add_ps(s, t));
  for (; i < dim; ++i) sum += a[i] * b[i];
  return sum;
}

float l2_f32(const float* a, const float* b, std::size_t dim) {
  __m512 s = _mm512_setzero_ps();
  std::size_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
    s = _mm512_fmadd_ps(d, d, s);
  }
  float sum = _mm512_reduce_add_ps(s);
  for (; i < dim; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

void within_f64(const double* values, std::size_t n, double low, double high, std::uint64_t* out) {
  const __m512d least = _mm512_set1_pd(low);
  const __m512d most = _mm512_set1_pd(high);
  std::size_t first = 0;
  for (; first + 64 <= n; first += 64) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 64; i += 8) {
      const __m512d v = _mm512_loadu_pd(values + first + i);
      const __mmask8 high_enough = _mm512_cmp_pd_mask(v, least, _CMP_GE_OQ);
      word |= static_cast<std::uint64_t>(_mm512_mask_cmp_pd_mask(high_enough, v, most, _CMP_LE_OQ)) << i;
    }
    out[first / 64] = word;
  }
  within_each(values + first, n - first, low, high, out + first / 64);
}

// Up to so many words, all that is wanted fits into a register.
constexpr std::size_t kRegisterWords = 16;

// The numbers that are wanted, as `wanted_i32` gets them.
class Wanted {
 public:
  Wanted(const std::uint32_t* wanted, std::size_t words)
      : wanted_(wanted),
        in_register_(words <= kRegisterWords),
        table_(_mm512_maskz_loadu_epi32(static_cast<__mmask16>(in_register_ ? (1U << words) - 1 : 0U), wanted)),
        count_(_mm512_set1_epi32(static_cast<int>(words))) {}

  // Which of 16 numbers are.
  __mmask16 of(__m512i number) const {
    const __m512i place = _mm512_srli_epi32(number, 5);
    const __mmask16 known = _mm512_cmplt_epu32_mask(place, count_);
    const __m512i bits = in_register_ ? _mm512_permutexvar_epi32(place, table_)
                                      : _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), known, place, wanted_, 4);
    const __m512i shifted = _mm512_srlv_epi32(bits, _mm512_and_si512(number, _mm512_set1_epi32(31)));
    return _mm512_mask_test_epi32_mask(known, shifted, _mm512_set1_epi32(1));
  }

 private:
  const std::uint32_t* wanted_;
  bool in_register_;
  __m512i table_;
  __m512i count_;
};

void wanted_i32(const std::int32_t* numbers, std::size_t n, const std::uint32_t* wanted, std::size_t words,
                std::uint64_t* out) {
  const Wanted sought(wanted, words);
  std::size_t first = 0;
  for (; first + 64 <= n; first += 64) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 64; i += 16) {
      word |= static_cast<std::uint64_t>(sought.of(_mm512_loadu_si512(numbers + first + i))) << i;
    }
    out[first / 64] = word;
  }
  wanted_each(numbers + first, n - first, wanted, words, out + first / 64);
}

void wanted_f64(const double* values, std::size_t n, double low, const std::uint32_t* wanted, std::size_t words,
                std::uint64_t* out) {
  const Wanted sought(wanted, words);
  const __m512d least = _mm512_set1_pd(low);
  std::size_t first = 0;
  for (; first + 64 <= n; first += 64) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 64; i += 16) {
      const __m512d v = _mm512_loadu_pd(values + first + i);
      const __m512d w = _mm512_loadu_pd(values + first + i + 8);
      // What is too large or too small for 32 bits becomes a number that is above all that are wanted.
      const __m256i number = _mm512_cvttpd_epi32(_mm512_sub_pd(v, least));
      const __m256i other = _mm512_cvttpd_epi32(_mm512_sub_pd(w, least));
      const __mmask8 exact = _mm512_cmp_pd_mask(_mm512_add_pd(least, _mm512_cvtepi32_pd(number)), v, _CMP_EQ_OQ);
      const __mmask8 exact_too = _mm512_cmp_pd_mask(_mm512_add_pd(least, _mm512_cvtepi32_pd(other)), w, _CMP_EQ_OQ);
      const __mmask16 found = sought.of(_mm512_inserti64x4(_mm512_castsi256_si512(number), other, 1));
      word |= static_cast<std::uint64_t>(found & _mm512_kunpackb(exact_too, exact)) << i;
    }
    out[first / 64] = word;
  }
  wanted_each_f64(values + first, n - first, low, wanted, words, out + first / 64);
}

// The eight bits from place `i` on.
inline __mmask8 eight_bits(const std::uint64_t* bits, std::size_t i) {
  std::uint64_t word = bits[i / 64] >> (i % 64);
  if (i % 64 > 56) word |= bits[i / 64 + 1] << (64 - i % 64);
  return static_cast<__mmask8>(word);
}

// Up to eight rows at a time, those that are in the same word, which is put together when it is left.
void mark(const std::int64_t* generations, std::size_t n, const std::uint64_t* passed, std::int64_t begin,
          std::uint64_t* bits) {
  if (!are_dense(generations, n)) {
    mark_each(generations, n, passed, begin, bits);
    return;
  }
  const __m512i first = _mm512_set1_epi64(begin);
  const __m512i last_bits = _mm512_set1_epi64(63);
  const __m512i one = _mm512_set1_epi64(1);
  std::size_t i = 0;
  while (i + 8 <= n) {
    const std::int64_t place = (generations[i] - begin) / 64;
    const __m512i end = _mm512_set1_epi64(64 * (place + 1));
    __m512i word = _mm512_setzero_si512();
    for (; i + 8 <= n; i += 8) {
      const __m512i rows = _mm512_sub_epi64(_mm512_loadu_si512(generations + i), first);
      const __mmask8 here = _mm512_cmplt_epi64_mask(rows, end);
      const __mmask8 passing = passed == nullptr ? here : static_cast<__mmask8>(here & eight_bits(passed, i));
      word = _mm512_mask_or_epi64(word, passing, word, _mm512_sllv_epi64(one, _mm512_and_si512(rows, last_bits)));
      if (here != 0xFF) {
        i += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(here)));
        break;
      }
    }
    bits[place] |= static_cast<std::uint64_t>(_mm512_reduce_or_epi64(word));
  }
  for (; i < n; ++i) {
    const std::uint64_t passes = passed == nullptr ? 1 : passed[i / 64] >> (i % 64) & 1;
    bits[(generations[i] - begin) / 64] |= passes << ((generations[i] - begin) % 64);
  }
}

void spread(const std::uint64_t* passed, std::size_t passed_words, const std::uint64_t* present, std::size_t words,
            std::uint64_t* out) {
  spread_by(passed, passed_words, present, words, out,
            [](std::uint64_t bits, std::uint64_t places) { return _pdep_u64(bits, places); });
}

constexpr Kernels kAvx512{"avx512",   hamming_rows, hamming_block, plane_rows,   dot_rows, unbias,  fwht,
                          quantise,   sign_bits,    make_planes,   squared_norm, widen,    dot_f32, l2_f32,
                          within_f64, wanted_i32,   wanted_u8,     wanted_f64,   mark,     spread,  count_each};

}  // namespace

const Kernels* avx512_kernels_compiled() { return &kAvx512; }

}  // namespace engram

#else

namespace engram {
const Kernels* avx512_kernels_compiled() { return nullptr; }
}  // namespace engram

#endif
