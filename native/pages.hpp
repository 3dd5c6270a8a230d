// Loads pages of mapped files that are only on the disk: `ask_for` requests many pages together, and `wait_for` waits
// for them at a place where no other thread is kept waiting.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace engram {

inline constexpr std::uintptr_t kPageBytes = 4096;

// Makes the disk read the missing pages of [begin, begin + bytes), without waiting for them. This is only advice:
// without it, a page is read when it is used.
inline void ask_for(const void* begin, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t first = address & ~(kPageBytes - 1);
  static_cast<void>(madvise(reinterpret_cast<void*>(first), address + bytes - first, MADV_WILLNEED));
}

// Returns once all pages of [begin, begin + bytes) are in memory and mapped.
inline void wait_for(const void* begin, std::size_t bytes) {
  const auto* byte = static_cast<const volatile std::uint8_t*>(begin);
  const std::uintptr_t within = reinterpret_cast<std::uintptr_t>(begin) & (kPageBytes - 1);
  for (std::size_t i = 0; i < bytes; i += i == 0 ? kPageBytes - within : kPageBytes) static_cast<void>(byte[i]);
}

}  // namespace engram
