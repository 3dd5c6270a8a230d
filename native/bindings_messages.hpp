// The part of the Python bindings that messages pass on their way in.
#pragma once

#include <nanobind/nanobind.h>

namespace engram {

void bind_messages(nanobind::module_& m);

}  // namespace engram
