// Checkpoint files. Behind a header, a checkpoint holds the saved block of every chunk with the same layout as in
// memory, so loading a checkpoint means mapping it.
#pragma once

#include <stdexcept>
#include <string>
#include <variant>

#include "types.hpp"

namespace engram {

// The path of a file, or a file descriptor that the caller has open and keeps. A store passes descriptors, because it
// works on open directories and not on paths.
using Place = std::variant<int, std::string>;

// Thrown if a file is not a checkpoint, is damaged or unreadable, or does not fit the given raw vectors.
class CorruptCheckpoint : public std::runtime_error {
 public:
  CorruptCheckpoint(const std::string& path, const std::string& why)
      : std::runtime_error("checkpoint " + path + ": " + why) {}
};

// Thrown if a raw vector that is to be copied differs from the vector that was appended.
class DamagedVector : public std::runtime_error {
 public:
  explicit DamagedVector(Generation generation_)
      : std::runtime_error("the vector of generation " + std::to_string(generation_) + " is damaged"),
        generation(generation_) {}

  Generation generation;
};

}  // namespace engram
