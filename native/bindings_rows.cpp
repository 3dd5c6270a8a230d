#include "bindings_rows.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "bindings_arrays.hpp"
#include "kernels/kernels.hpp"
#include "row_bits.hpp"
#include "second_thread.hpp"
#include "unlocked.hpp"

namespace engram {
namespace {

using namespace nb::literals;

template <class T>
using Column = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using ConstWords = Column<std::uint64_t>;

Bits bits_in(const Words& words) { return {words.data(), words.shape(0)}; }
ConstBits bits_in(const ConstWords& words) { return {words.data(), words.shape(0)}; }
GenerationList list_in(const Column<std::int64_t>& generations) { return {generations.data(), generations.shape(0)}; }

void check_places(const ConstWords& passed, std::size_t count) {
  if (passed.shape(0) < words_for(count)) throw nb::value_error("there are fewer bits than rows");
}

// Columns of fewer bytes are read faster by one thread than another one wakes up. Two take so many rows in turn, each
// of which writes words of its own.
constexpr std::size_t kSharedBytesMin = std::size_t{1} << 20;
constexpr std::size_t kPieceRows = std::size_t{1} << 16;

// Runs work(first, last) over `rows` rows, whose `bytes` bytes it reads: at once, or in pieces on two threads.
template <class Work>
void run_over_rows(std::size_t bytes, std::size_t rows, Work work) {
  run_over(bytes, [&] {
    if (bytes < kSharedBytesMin) {
      work(std::size_t{0}, rows);
      return;
    }
    share_pieces((rows + kPieceRows - 1) / kPieceRows, [&](std::size_t piece, std::size_t) {
      const std::size_t first = piece * kPieceRows;
      work(first, std::min(rows, first + kPieceRows));
    });
  });
}

// Each of the 256 numbers of one byte that `test` passes, as bits.
template <class Test>
std::array<std::uint32_t, 8> wanted_of_bytes(Test test) {
  std::array<std::uint32_t, 8> wanted{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    if (test(static_cast<std::uint8_t>(byte))) wanted[byte / 32] |= std::uint32_t{1} << (byte % 32);
  }
  return wanted;
}

NewVector<std::uint64_t> bits_of_bytes(const void* bytes, std::size_t n, const std::array<std::uint32_t, 8>& wanted) {
  auto made = new_vector<std::uint64_t>(words_for(n));
  const auto* numbers = static_cast<const std::uint8_t*>(bytes);
  run_over_rows(n, n, [&](std::size_t first, std::size_t last) {
    kernels().wanted_u8(numbers + first, last - first, wanted.data(), made.data() + first / kWordBits);
  });
  return made;
}

bool has_bit(const Column<std::uint32_t>& wanted, std::size_t number) {
  return number / 32 < wanted.shape(0) && (wanted.data()[number / 32] >> (number % 32) & 1) != 0;
}

NewVector<std::uint64_t> small_bits_within(const Column<std::int8_t>& values, double low, double high) {
  return bits_of_bytes(values.data(), values.shape(0), wanted_of_bytes([=](std::uint8_t byte) {
                         const auto value = static_cast<std::int8_t>(byte);
                         return value >= low && value <= high;
                       }));
}

NewVector<std::uint64_t> small_bits_wanted(const Column<std::uint8_t>& numbers, const Column<std::uint32_t>& wanted) {
  return bits_of_bytes(numbers.data(), numbers.shape(0),
                       wanted_of_bytes([&](std::uint8_t byte) { return has_bit(wanted, byte); }));
}

NewVector<std::uint64_t> small_bits_wanted_of(const Column<std::int8_t>& values, double low,
                                              const Column<std::uint32_t>& wanted) {
  return bits_of_bytes(values.data(), values.shape(0), wanted_of_bytes([&](std::uint8_t byte) {
                         const double above = static_cast<std::int8_t>(byte) - low;
                         return above >= 0.0 && above < 256.0 && has_bit(wanted, static_cast<std::size_t>(above));
                       }));
}

NewVector<std::uint64_t> bits_within(const Column<double>& values, double low, double high) {
  const std::size_t n = values.shape(0);
  auto made = new_vector<std::uint64_t>(words_for(n));
  run_over_rows(values.nbytes(), n, [&](std::size_t first, std::size_t last) {
    kernels().within_f64(values.data() + first, last - first, low, high, made.data() + first / kWordBits);
  });
  return made;
}

NewVector<std::uint64_t> bits_wanted(const Column<std::int32_t>& numbers, const Column<std::uint32_t>& wanted) {
  const std::size_t n = numbers.shape(0);
  auto made = new_vector<std::uint64_t>(words_for(n));
  run_over_rows(numbers.nbytes(), n, [&](std::size_t first, std::size_t last) {
    kernels().wanted_i32(numbers.data() + first, last - first, wanted.data(), wanted.shape(0),
                         made.data() + first / kWordBits);
  });
  return made;
}

NewVector<std::uint64_t> bits_wanted_of(const Column<double>& values, double low, const Column<std::uint32_t>& wanted) {
  const std::size_t n = values.shape(0);
  auto made = new_vector<std::uint64_t>(words_for(n));
  run_over_rows(values.nbytes(), n, [&](std::size_t first, std::size_t last) {
    kernels().wanted_f64(values.data() + first, last - first, low, wanted.data(), wanted.shape(0),
                         made.data() + first / kWordBits);
  });
  return made;
}

void mark_generations(const Words& words, std::int64_t begin, const Column<std::int64_t>& generations) {
  run_over(generations.nbytes(), [&] { mark(bits_in(words), begin, list_in(generations)); });
}

void mark_passed_generations(const Words& words, std::int64_t begin, const Column<std::int64_t>& generations,
                             const ConstWords& passed) {
  check_places(passed, generations.shape(0));
  run_over(generations.nbytes(), [&] { mark_passed(bits_in(words), begin, list_in(generations), bits_in(passed)); });
}

void put_bits(const Words& words, std::size_t offset, const ConstWords& others, std::size_t count) {
  check_places(others, count);
  run_over(others.nbytes(), [&] { put_at(bits_in(words), offset, bits_in(others), count); });
}

NewVector<std::uint64_t> spread_bits(const ConstWords& passed, const ConstWords& present) {
  const std::size_t n = present.shape(0);
  auto made = new_vector<std::uint64_t>(n);
  run_over(present.nbytes(), [&] { kernels().spread(passed.data(), passed.shape(0), present.data(), n, made.data()); });
  return made;
}

std::size_t count_rows(const ConstWords& words) {
  return run_over(words.nbytes(), [&] { return count_bits(bits_in(words)); });
}

NewVector<std::int64_t> listed_rows(const ConstWords& words, std::int64_t begin) {
  auto made = new_vector<std::int64_t>(count_rows(words));
  run_over(made.nbytes(), [&] { list_bits(bits_in(words), begin, made.data()); });
  return made;
}

NewVector<std::int64_t> ranks_in(const ConstWords& words, std::int64_t begin, const Column<std::int64_t>& generations) {
  const std::size_t n = generations.shape(0);
  const GenerationList list = list_in(generations);
  const auto end = begin + static_cast<std::int64_t>(words.shape(0) * kWordBits);
  if (n != 0 && (list.front() < begin || list.back() >= end)) throw nb::value_error("a generation has no bit");
  auto made = new_vector<std::int64_t>(n);
  run_over(words.nbytes(), [&] { rank_in(bits_in(words), begin, list, made.data()); });
  return made;
}

}  // namespace

void bind_rows(nb::module_& m) {
  m.def("bits_within", &small_bits_within, "values"_a.noconvert(), "low"_a, "high"_a);
  m.def("bits_wanted", &small_bits_wanted, "numbers"_a.noconvert(), "wanted"_a);
  m.def("bits_wanted_of", &small_bits_wanted_of, "values"_a.noconvert(), "low"_a, "wanted"_a);
  m.def("bits_within", &bits_within, "values"_a, "low"_a, "high"_a);
  m.def("bits_wanted", &bits_wanted, "numbers"_a, "wanted"_a);
  m.def("bits_wanted_of", &bits_wanted_of, "values"_a, "low"_a, "wanted"_a);
  m.def("mark", &mark_generations, "words"_a.noconvert(), "begin"_a, "generations"_a);
  m.def("mark_passed", &mark_passed_generations, "words"_a.noconvert(), "begin"_a, "generations"_a, "passed"_a);
  m.def("put_bits", &put_bits, "words"_a.noconvert(), "offset"_a, "others"_a, "count"_a);
  m.def("spread_bits", &spread_bits, "passed"_a, "present"_a);
  m.def("ranks_in", &ranks_in, "words"_a, "begin"_a, "generations"_a);
  m.def("count_bits", &count_rows, "words"_a);
  m.def("listed_bits", &listed_rows, "words"_a, "begin"_a);
}

}  // namespace engram
