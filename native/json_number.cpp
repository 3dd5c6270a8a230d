#include "json_number.hpp"

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <system_error>

namespace engram {
namespace {

// The powers of ten that are doubles.
constexpr double kTens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                            1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int kTensMax = 22;
// So many digits always fit into 64 bits.
constexpr std::ptrdiff_t kDigitsMax = 19;
// An exponent beyond this is left to the correct reader.
constexpr int kExponentMax = 10'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr std::uint64_t kPowers[] = {1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};

// The number that eight bytes of 0 to 9 are, the first of them lowest (Daniel Lemire, "Quickly parsing eight digits",
// 2018).
std::uint64_t number_of_eight(std::uint64_t digits) {
  digits = digits * 10 + (digits >> 8U);
  const std::uint64_t pairs = (digits & 0x000000FF000000FFU) * 0x000F424000000064U;
  const std::uint64_t others = ((digits >> 16U) & 0x000000FF000000FFU) * 0x0000271000000001U;
  return (pairs + others) >> 32U;
}

// Takes up to eight digits at a time. How many there are is computed, because no branch could foretell it.
const char* take_digits(const char* at, const char* end, std::uint64_t& number) {
  if constexpr (std::endian::native == std::endian::little) {
    while (end - at >= 8) {
      std::uint64_t chunk = 0;
      std::memcpy(&chunk, at, sizeof chunk);
      chunk ^= 0x3030303030303030U;
      const std::uint64_t others = ((chunk + 0x0606060606060606U) | chunk) & 0xF0F0F0F0F0F0F0F0U;
      const auto bits = static_cast<unsigned>(std::countr_zero(others)) & ~7U;
      if (bits == 0) return at;
      number = number * kPowers[bits / 8] + number_of_eight(chunk << (64U - bits));
      at += bits / 8;
      if (bits != 64) return at;
    }
  }
  for (; at < end && is_digit(*at); ++at) number = number * 10 + static_cast<std::uint64_t>(*at - '0');
  return at;
}

// A number as it is written. With more digits than `kDigitsMax`, the mantissa is meaningless.
struct Written {
  bool negative = false;
  std::uint64_t mantissa = 0;
  std::ptrdiff_t digits = 0;  // Without the zeros in front.
  int exponent = 0;
};

bool take_exponent(const char*& at, const char* end, int& exponent) {
  const bool negative = at < end && *at == '-';
  if (at < end && (*at == '-' || *at == '+')) ++at;
  if (at == end || !is_digit(*at)) return false;
  int number = 0;
  for (; at < end && is_digit(*at); ++at) {
    if (number < kExponentMax) number = number * 10 + (*at - '0');
  }
  exponent += negative ? -number : number;
  return true;
}

bool take_written(const char*& at, const char* end, Written& taken) {
  taken.negative = at < end && *at == '-';
  if (taken.negative) ++at;
  const char* const whole = at;
  at = take_digits(at, end, taken.mantissa);
  if (at == whole || (*whole == '0' && at - whole > 1)) return false;
  taken.digits = at - whole;
  if (at < end && *at == '.') {
    const char* const fraction = ++at;
    at = take_digits(at, end, taken.mantissa);
    if (at == fraction) return false;
    taken.digits += at - fraction;
    if (at - fraction > kExponentMax) return false;
    taken.exponent = -static_cast<int>(at - fraction);
    if (*whole == '0') {
      --taken.digits;
      for (const char* zero = fraction; zero < at && *zero == '0'; ++zero) --taken.digits;
    }
  }
  if (at < end && (*at == 'e' || *at == 'E')) return take_exponent(++at, end, taken.exponent);
  return true;
}

// Two roundings of a double may be wrong by a few of its last places, which only matters where a float ends.
bool scaled(const Written& written, float& value) {
  const int exponent = written.exponent;
  if (written.digits > kDigitsMax || exponent < -kTensMax || exponent > kTensMax) return false;
  auto number = static_cast<double>(written.mantissa);
  number = exponent < 0 ? number / kTens[-exponent] : number * kTens[exponent];
  if (written.mantissa != 0) {
    using Float = std::numeric_limits<float>;
    if (number < 2 * static_cast<double>(Float::min()) || number > static_cast<double>(Float::max()) / 2) return false;
    constexpr std::int64_t kDropped = (std::int64_t{1} << 29U) - 1;
    constexpr std::int64_t kHalf = std::int64_t{1} << 28U;
    constexpr std::int64_t kNear = 16;
    const std::int64_t distance = (std::bit_cast<std::int64_t>(number) & kDropped) - kHalf;
    if (distance >= -kNear && distance <= kNear) return false;
  }
  value = static_cast<float>(written.negative ? -number : number);
  return true;
}

}  // namespace

bool read_number(const char*& at, const char* end, float& value) {
  const char* const start = at;
  Written written;
  if (!take_written(at, end, written)) return false;
  if (scaled(written, value)) return true;
#ifdef __cpp_lib_to_chars
  double number = 0;
  const auto [stop, failure] = std::from_chars(start, at, number);
  if (failure != std::errc{} || stop != at) return false;
  constexpr double kMax = std::numeric_limits<float>::max();
  if (number > kMax || number < -kMax) return false;
  value = static_cast<float>(number);
  return true;
#else
  return false;
#endif
}

}  // namespace engram
