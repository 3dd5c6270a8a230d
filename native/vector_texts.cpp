#include "vector_texts.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "json_number.hpp"

namespace engram {
namespace {

constexpr std::string_view kName = "vector";
// The digits of base64, each where it belongs among 24 bits, by its place among four.
constexpr std::uint32_t kNoDigit = 1U << 24U;
using Digits = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr Digits digits_of_base64() {
  Digits digits{};
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::uint32_t place = 0; place < 4; ++place) {
    digits[place].fill(kNoDigit);
    for (std::uint32_t i = 0; i < kDigits.size(); ++i) {
      digits[place][static_cast<unsigned char>(kDigits[i])] = i << (18U - 6U * place);
    }
  }
  return digits;
}

constexpr Digits kDigits = digits_of_base64();

// Four digits as 24 bits, or `kNoDigit` and more if one of them is none.
std::uint32_t four_digits(const char* at) {
  const auto digit = [&](std::size_t i) { return kDigits[i][static_cast<unsigned char>(at[i])]; };
  return digit(0) | digit(1) | digit(2) | digit(3);
}

void put(std::uint8_t* out, std::uint32_t bits, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::uint8_t>(bits >> (16U - 8U * i));
}

// Takes what is left of a text, behind its first quote, as the base64 of float32.
bool take_base64(const char*& at, const char* end, std::vector<float>& numbers) {
  const char* const quote = static_cast<const char*>(std::memchr(at, '"', static_cast<std::size_t>(end - at)));
  if (quote == nullptr) return false;
  const std::string_view text(at, static_cast<std::size_t>(quote - at));
  at = quote + 1;
  if (text.empty() || text.size() % 4 != 0) return false;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::size_t size = text.size() / 4 * 3 - padding;
  if (size % sizeof(float) != 0) return false;
  const std::size_t before = numbers.size();
  numbers.resize(before + size / sizeof(float));
  auto* out = reinterpret_cast<std::uint8_t*>(numbers.data() + before);
  std::uint32_t seen = 0;
  std::size_t place = 0;
  for (; place + 4 < text.size(); place += 4, out += 3) {
    const std::uint32_t bits = four_digits(text.data() + place);
    seen |= bits;
    put(out, bits, 3);
  }
  char last[4];
  std::memcpy(last, text.data() + place, sizeof last);
  for (std::size_t i = 0; i < padding; ++i) last[3 - i] = 'A';
  const std::uint32_t bits = four_digits(last);
  put(out, bits, 3 - padding);
  return (seen | bits) < kNoDigit;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Goes through one object.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : start_(text.data()), at_(start_), end_(start_ + text.size()) {}

  // Appends the numbers of the one vector, and the text without it; false as for `cut_vectors`.
  bool cut(CutVectors& cut) {
    skip_spaces();
    if (at_ == end_ || *at_ != '{') return false;
    const char* copied = at_;
    std::size_t depth = 0;
    do {
      const char c = *at_++;
      if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        --depth;
      } else if (c == '"') {
        if (!take_text()) return false;
        if (depth != 1 || text_ != kName || !take_colon()) continue;
        if (is_found_) return false;
        is_found_ = true;
        cut.rest.append(copied, at_).append("null");
        if (!take_vector(cut.numbers)) return false;
        copied = at_;
      }
    } while (depth != 0 && at_ != end_);
    cut.rest.append(copied, at_);
    skip_spaces();
    return depth == 0 && at_ == end_ && is_found_;
  }

  bool is_list() const { return is_list_; }

 private:
  void skip_spaces() {
    while (at_ != end_ && is_space(*at_)) ++at_;
  }

  // Takes what is left of a text, behind its first quote.
  bool take_text() {
    const char* const begin = at_;
    while (at_ != end_) {
      const char c = *at_++;
      if (c == '"') {
        text_ = {begin, static_cast<std::size_t>(at_ - 1 - begin)};
        return true;
      }
      if (c == '\\') {
        if (at_ == end_) return false;
        ++at_;
      }
    }
    return false;
  }

  bool take_colon() {
    const char* const before = at_;
    skip_spaces();
    if (at_ == end_ || *at_ != ':') {
      at_ = before;
      return false;
    }
    ++at_;
    skip_spaces();
    return true;
  }

  bool take_vector(std::vector<float>& numbers) {
    if (at_ == end_) return false;
    const char c = *at_++;
    is_list_ = c == '[';
    if (is_list_) return take_list(numbers);
    return c == '"' && take_base64(at_, end_, numbers);
  }

  bool take_list(std::vector<float>& numbers) {
    while (true) {
      float number = 0;
      skip_spaces();
      if (!read_number(at_, end_, number)) return false;
      numbers.push_back(number);
      skip_spaces();
      if (at_ == end_) return false;
      const char c = *at_++;
      if (c == ']') return true;
      if (c != ',') return false;
    }
  }

  const char* start_;
  const char* at_;
  const char* end_;
  std::string_view text_;
  bool is_found_ = false;
  bool is_list_ = false;
};

}  // namespace

bool cut_vectors(std::span<const std::string_view> texts, CutVectors& cut) {
  if (texts.empty() || std::endian::native != std::endian::little) return false;
  bool is_list = false;
  std::size_t dim = 0;
  std::size_t size = 0;
  for (const std::string_view text : texts) size += text.size();
  for (std::size_t row = 0; row < texts.size(); ++row) {
    const std::size_t before = cut.numbers.size();
    cut.rest.push_back(row == 0 ? '[' : ',');
    Scanner scanner(texts[row]);
    if (!scanner.cut(cut)) return false;
    if (row == 0) {
      is_list = scanner.is_list();
      dim = cut.numbers.size();
      // Every number takes two characters or more.
      cut.numbers.reserve(std::min(dim * texts.size(), size / 2));
    }
    if (scanner.is_list() != is_list || cut.numbers.size() - before != dim) return false;
  }
  cut.rest.push_back(']');
  return true;
}

}  // namespace engram
