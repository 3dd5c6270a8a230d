// A candidate as one integer that compares like the candidate: the distance is the upper half, the slot the lower half.
#pragma once

#include <cstdint>

#include "types.hpp"

namespace engram {

using WalkKey = std::uint64_t;

constexpr WalkKey walk_key(std::uint32_t distance, Slot slot) { return (static_cast<WalkKey>(distance) << 32) | slot; }
constexpr Slot slot_in(WalkKey key) { return static_cast<Slot>(key & 0xFFFFFFFFU); }

}  // namespace engram
