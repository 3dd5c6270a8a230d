// The vectors of observations that came as objects of JSON, one by one (our own).
//
// Only the vectors are read here. The rest is left to a reader of JSON, which then has one short text to read instead
// of many long ones.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engram {

// What `cut_vectors` makes of many objects.
struct CutVectors {
  std::string rest;            // A JSON list of the objects, with null in place of each vector.
  std::vector<float> numbers;  // One row for each object.
};

// Cuts the vector out of each of `texts`: the field "vector", a list of numbers or the base64 of little-endian float32.
// Returns false if one has another form, if it has no vector or two, if the vectors differ in kind or length, or if
// they are not to be told at all. Whatever the texts are, no object in `rest` has a part of another one's text, if
// `rest` is JSON.
bool cut_vectors(std::span<const std::string_view> texts, CutVectors& cut);

}  // namespace engram
