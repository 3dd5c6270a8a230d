// Where a raw vector lies: its address, and in the lowest bit whether its numbers are float16 instead of float32. Both
// kinds start at even addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.hpp"

namespace engram {

using Half = std::uint16_t;  // The bits of an IEEE 754 half; no arithmetic is done on them.

class RawVector {
 public:
  RawVector() = default;
  explicit RawVector(const float* floats) : address_(reinterpret_cast<std::uintptr_t>(floats)) {}
  explicit RawVector(const Half* halves) : address_(reinterpret_cast<std::uintptr_t>(halves) | 1U) {}

  bool half() const { return (address_ & 1U) != 0; }
  const float* floats() const { return reinterpret_cast<const float*>(address_); }
  const Half* halves() const { return reinterpret_cast<const Half*>(address_ & ~std::uintptr_t{1}); }
  std::uintptr_t address() const { return address_ & ~std::uintptr_t{1}; }
  const void* data() const { return reinterpret_cast<const void*>(address()); }
  std::size_t nbytes(std::size_t dim) const { return dim * (half() ? sizeof(Half) : sizeof(float)); }
  // The vector `rows` rows further on in the same matrix.
  RawVector after(std::size_t rows, std::size_t dim) const {
    return half() ? RawVector(halves() + rows * dim) : RawVector(floats() + rows * dim);
  }

 private:
  std::uintptr_t address_ = 0;
};

// The floats of a raw vector: where they lie, or widened into `buffer`.
inline const float* floats_of(RawVector raw, std::size_t dim, std::vector<float>& buffer) {
  if (!raw.half()) return raw.floats();
  buffer.resize(dim);
  kernels().widen(raw.halves(), dim, buffer.data());
  return buffer.data();
}

}  // namespace engram
