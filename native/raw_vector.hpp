// The place of a raw vector: its address, whose lowest bit tells whether the numbers are float16 instead of float32.
// Both kinds start at even addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernels.hpp"

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
  // Returns the vector that lies `rows` rows further on in the same matrix.
  RawVector after(std::size_t rows, std::size_t dim) const {
    return half() ? RawVector(halves() + rows * dim) : RawVector(floats() + rows * dim);
  }

 private:
  std::uintptr_t address_ = 0;
};

// Returns the floats of a raw vector: in place if they are float32, else converted in `buffer`.
inline const float* floats_of(RawVector raw, std::size_t dim, std::vector<float>& buffer) {
  if (!raw.half()) return raw.floats();
  buffer.resize(dim);
  kernels().widen(raw.halves(), dim, buffer.data());
  return buffer.data();
}

}  // namespace engram
