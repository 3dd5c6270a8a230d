// Python bindings of the metrics: their names and rules, and their scores.
#pragma once

#include <nanobind/nanobind.h>

namespace engram {

void bind_metrics(nanobind::module_& m);

}  // namespace engram
