// Python bindings of what the log builds on: checksums, the checks of records, and mapped files.
#pragma once

#include <nanobind/nanobind.h>

namespace engram {

void bind_storage(nanobind::module_& m);

}  // namespace engram
