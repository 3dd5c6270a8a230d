// The arrays that the Python bindings take and return.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstddef>

namespace engram {

namespace nb = nanobind;

using Floats = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Vector = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using NewVector = nb::ndarray<nb::numpy, T, nb::ndim<1>>;
template <class T>
using NewMatrix = nb::ndarray<nb::numpy, T, nb::ndim<2>>;

template <class T>
NewVector<T> new_vector(std::size_t n) {
  auto* data = new T[std::max<std::size_t>(1, n)];
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return NewVector<T>(data, {n}, owner);
}

template <class T>
NewMatrix<T> new_matrix(std::size_t rows, std::size_t columns) {
  auto* data = new T[std::max<std::size_t>(1, rows * columns)];
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return NewMatrix<T>(data, {rows, columns}, owner);
}

}  // namespace engram
