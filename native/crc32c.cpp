// Selects the implementation of the checksum once, and contains the portable one.
#include "crc32c.hpp"

#include <array>
#include <cstring>

#include "kernels/kernels.hpp"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace engram {
namespace {

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[k][b] is the effect of byte b on the register when k more bytes follow it.
constexpr Tables make_tables() {
  constexpr std::uint32_t kPolynomial = 0x82F63B78U;
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? kPolynomial : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xFFU];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

// Slicing-by-8 (Kounavis and Berry, 2005): eight bytes per step, by table lookup.
std::uint32_t portable_one(std::uint32_t crc, const std::uint8_t* data, std::size_t bytes) {
  std::size_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    const std::uint8_t* p = data + i;
    std::uint32_t next = 0;
    for (std::size_t j = 0; j < 4; ++j) next ^= kTables[7 - j][p[j] ^ ((crc >> (8 * j)) & 0xFFU)];
    for (std::size_t j = 4; j < 8; ++j) next ^= kTables[7 - j][p[j]];
    crc = next;
  }
  for (; i < bytes; ++i) crc = (crc >> 8) ^ kTables[0][(crc ^ data[i]) & 0xFFU];
  return crc;
}

void portable_three(std::uint32_t* crcs, const std::uint8_t* const* blocks, std::size_t bytes) {
  for (std::size_t i = 0; i < 3; ++i) crcs[i] = portable_one(crcs[i], blocks[i], bytes);
}

constexpr Crc32cPath kPortable{portable_one, portable_three};

bool cpu_has_instruction() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("sse4.2");
#elif defined(__aarch64__) && defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#else
  return true;  // All 64-bit processors of Apple have it.
#endif
}

const Crc32cPath& pick() {
  const Crc32cPath* hardware = hardware_crc32c_compiled();
  const bool wanted = std::strcmp(kernels().name, portable_kernels()->name) != 0;
  return hardware != nullptr && wanted && cpu_has_instruction() ? *hardware : kPortable;
}

const Crc32cPath& path() {
  static const Crc32cPath& picked = pick();
  return picked;
}

}  // namespace

std::uint32_t crc32c(const void* data, std::size_t bytes, std::uint32_t seed) {
  return ~path().one(~seed, static_cast<const std::uint8_t*>(data), bytes);
}

void crc32c_blocks(const std::uint8_t* const* blocks, std::size_t count, std::size_t bytes, std::uint32_t* sums) {
  const Crc32cPath& p = path();
  for (std::size_t i = 0; i < count; ++i) sums[i] = ~sums[i];
  std::size_t i = 0;
  for (; i + 3 <= count; i += 3) p.three(sums + i, blocks + i, bytes);
  for (; i < count; ++i) sums[i] = p.one(sums[i], blocks[i], bytes);
  for (i = 0; i < count; ++i) sums[i] = ~sums[i];
}

}  // namespace engram
