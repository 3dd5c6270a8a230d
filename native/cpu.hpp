// Two hints to the processor. Either may have no effect, and neither changes the program's results.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace engram {

// Tells the processor core that the caller is in a spin loop.
inline void cpu_pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Starts loading the cache lines of [p, p + bytes).
inline void prefetch(const void* p, std::size_t bytes) {
  const auto* byte = static_cast<const std::uint8_t*>(p);
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(byte + i);
}

}  // namespace engram
