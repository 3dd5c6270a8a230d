// Selects the kernels once, when they are first used.
#include "kernels.hpp"

#include <array>
#include <cstdlib>
#include <cstring>

namespace engram {
namespace {

#if defined(__x86_64__)
const Kernels* avx512_kernels() {
  const bool able = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vpopcntdq") &&
                    __builtin_cpu_supports("bmi2");
  return able ? avx512_kernels_compiled() : nullptr;
}

const Kernels* avx2_kernels() {
  const bool able = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
                    __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi2");
  return able ? avx2_kernels_compiled() : nullptr;
}
#else
const Kernels* avx512_kernels() { return nullptr; }
const Kernels* avx2_kernels() { return nullptr; }
#endif

// Fastest first; null for a path that the build or the CPU does not have. The portable path is always there.
std::array<const Kernels*, 4> runnable() {
  return {avx512_kernels(), avx2_kernels(), neon_kernels_compiled(), portable_kernels()};
}

const Kernels& pick() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): it is read once, and nothing here writes to the environment.
  if (const char* wanted = std::getenv("ENGRAM_SIMD"); wanted != nullptr) {
    if (const Kernels* k = kernels_by_name(wanted); k != nullptr) return *k;
  }
  for (const Kernels* k : runnable()) {
    if (k != nullptr) return *k;
  }
  return *portable_kernels();
}

}  // namespace

const Kernels* kernels_by_name(const char* name) {
  for (const Kernels* k : runnable()) {
    if (k != nullptr && std::strcmp(k->name, name) == 0) return k;
  }
  return nullptr;
}

const Kernels& kernels() {
  static const Kernels& picked = pick();
  return picked;
}

}  // namespace engram
