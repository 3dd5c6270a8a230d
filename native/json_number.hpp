// Numbers of JSON as float32 (our own).
//
// Most numbers are scaled by one exact power of ten. What that may have rounded otherwise than a correct reader would,
// is read again by one.
#pragma once

namespace engram {

// Reads the number that begins at `at`, and moves `at` behind it. The value is the float that is nearest to the double
// that is nearest to the text. Returns false if there is no number of JSON, or one beyond float or double.
bool read_number(const char*& at, const char* end, float& value);

}  // namespace engram
