// Names shared by all parts of the native core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace engram {

// Position of a vector in the slot table. It has 31 bits, because a key of the CandidatePool needs one bit for "already
// expanded".
using Slot = std::uint32_t;
// The generation of an observation: its position in the log of the space, from 1.
using Generation = std::uint64_t;

inline constexpr Slot kSlotMax = (1U << 31) - 2;
inline constexpr Slot kNoSlot = std::numeric_limits<Slot>::max();
inline constexpr Generation kNever = std::numeric_limits<Generation>::max();

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace engram
