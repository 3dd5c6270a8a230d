// Checkpoint files: the saved block of every chunk as it lies in memory, behind a header, so that loading is mapping.
#pragma once

#include <stdexcept>
#include <string>

namespace engram {

// The file is not a checkpoint, is damaged, or does not fit the raw vectors given.
class CorruptCheckpoint : public std::runtime_error {
 public:
  CorruptCheckpoint(const std::string& path, const std::string& why)
      : std::runtime_error("checkpoint " + path + ": " + why) {}
};

}  // namespace engram
