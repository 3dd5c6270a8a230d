#include "bindings_messages.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings_arrays.hpp"
#include "bindings_buffer.hpp"
#include "short_frames.hpp"
#include "unlocked.hpp"
#include "vector_texts.hpp"

namespace engram {
namespace {

using namespace nb::literals;

nb::object new_bytes(std::size_t size) {
  nb::object made = nb::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
  if (!made.is_valid()) throw nb::python_error();
  return made;
}

bool is_utf8(const char* text, std::size_t size) {
  if (nb::steal(PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(size), "strict")).is_valid()) return true;
  if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError) == 0) throw nb::python_error();
  PyErr_Clear();
  return false;
}

std::tuple<nb::list, std::size_t, bool> take_frames(nb::handle given, std::size_t size_max) {
  const Buffer buffer(given);
  std::span<const std::uint8_t> left = buffer.octets();
  nb::list messages;
  while (true) {
    const std::optional<ShortFrame> frame = short_frame(left, size_max);
    const bool is_begun = frame.has_value() && !frame->is_whole;
    if (!frame || is_begun) return {std::move(messages), buffer.octets().size() - left.size(), is_begun};
    nb::object message = new_bytes(frame->masked.size());
    char* out = PyBytes_AS_STRING(message.ptr());
    const bool is_ascii = unmask(*frame, reinterpret_cast<std::uint8_t*>(out));
    if (!is_ascii && !frame->is_binary && !is_utf8(out, frame->masked.size())) {
      return {std::move(messages), buffer.octets().size() - left.size(), false};
    }
    messages.append(nb::make_tuple(std::move(message), frame->is_binary));
    left = left.subspan(frame->size);
  }
}

std::optional<std::tuple<nb::bytes, NewMatrix<float>>> cut_vectors_of(const nb::list& given) {
  // Keeps the texts while other threads run.
  const nb::tuple held(given);
  std::vector<std::string_view> texts;
  std::size_t total = 0;
  for (nb::handle each : held) {
    char* data = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(each.ptr(), &data, &size) != 0) throw nb::python_error();
    texts.emplace_back(data, static_cast<std::size_t>(size));
    total += texts.back().size();
  }
  CutVectors cut;
  if (!run_over(total, [&] { return cut_vectors(texts, cut); })) return std::nullopt;
  auto numbers = std::make_unique<std::vector<float>>(std::move(cut.numbers));
  float* data = numbers->data();
  const std::size_t columns = numbers->size() / texts.size();
  nb::capsule owner(numbers.release(), [](void* p) noexcept { delete static_cast<std::vector<float>*>(p); });
  return std::make_tuple(nb::bytes(cut.rest.data(), cut.rest.size()),
                         NewMatrix<float>(data, {texts.size(), columns}, owner));
}

}  // namespace

void bind_messages(nb::module_& m) {
  m.def("take_frames", &take_frames, "buffer"_a, "size_max"_a);
  m.def("cut_vectors", &cut_vectors_of, "texts"_a);
}

}  // namespace engram
