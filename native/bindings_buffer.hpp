// The bytes that the Python bindings are given.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace engram {

// The bytes of a contiguous Python object, kept in place as long as this object lives.
class Buffer {
 public:
  explicit Buffer(nanobind::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_C_CONTIGUOUS) != 0) throw nanobind::python_error();
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { PyBuffer_Release(&view_); }

  std::span<const std::uint8_t> octets() const {
    return {static_cast<const std::uint8_t*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }
  int ndim() const { return view_.ndim; }
  std::size_t rows() const { return static_cast<std::size_t>(view_.shape[0]); }

 private:
  Py_buffer view_{};
};

}  // namespace engram
