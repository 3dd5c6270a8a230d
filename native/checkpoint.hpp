// Checkpoint files: the saved block of every chunk as it lies in memory, behind a header, so that loading is mapping.
#pragma once

#include <stdexcept>
#include <string>
#include <variant>

#include "types.hpp"

namespace engram {

// The path of a file, or a descriptor that the caller has open and keeps: a store works on open folders, not on names.
using Place = std::variant<int, std::string>;

// The file is not a checkpoint, is damaged, or does not fit the raw vectors given.
class CorruptCheckpoint : public std::runtime_error {
 public:
  CorruptCheckpoint(const std::string& path, const std::string& why)
      : std::runtime_error("checkpoint " + path + ": " + why) {}
};

// A raw vector that was to be copied differs from what was appended.
class DamagedVector : public std::runtime_error {
 public:
  explicit DamagedVector(Generation generation_)
      : std::runtime_error("the vector of generation " + std::to_string(generation_) + " is damaged"),
        generation(generation_) {}

  Generation generation;
};

}  // namespace engram
