// Sets of rows as bits, for filters: bit i % 64 of word i / 64 stands for the row that lies i behind the first one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace engram {

using Bits = std::span<std::uint64_t>;
using ConstBits = std::span<const std::uint64_t>;
// Generations as Python has them, ascending.
using GenerationList = std::span<const std::int64_t>;

inline constexpr std::size_t kWordBits = 64;
constexpr std::size_t words_for(std::size_t bits) { return (bits + kWordBits - 1) / kWordBits; }

std::size_t count_bits(ConstBits bits);

// Sets the bits of `generations`, the first bit being that of generation `begin`. Generations without a bit are left
// out.
void mark(Bits bits, std::int64_t begin, GenerationList generations);
// As `mark`, of the generations only those whose place has its bit set in `passed`.
void mark_passed(Bits bits, std::int64_t begin, GenerationList generations, ConstBits passed);

// Sets the bits from `offset` on where the first `count` of `others` are set; what lies behind the end is left out.
void put_at(Bits bits, std::size_t offset, ConstBits others, std::size_t count);

// Writes the generations whose bits are set, of which there are `count_bits(bits)`, to `out`.
void list_bits(ConstBits bits, std::int64_t begin, std::int64_t* out);

// For each of `generations`, which ascend and have bits, writes how many bits before its own are set, or -1 if its own
// is not.
void rank_in(ConstBits bits, std::int64_t begin, GenerationList generations, std::int64_t* out);

}  // namespace engram
