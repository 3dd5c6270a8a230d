// Bindings of sets of rows as bits, and of the comparisons of columns that make them.
#pragma once

#include <nanobind/nanobind.h>

namespace engram {

void bind_rows(nanobind::module_& m);

}  // namespace engram
