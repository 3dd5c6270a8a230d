// A file mapped for reading. A read that fails does not end the process (see bus_guard.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "bus_guard.hpp"

namespace engram {

class Mapping {
 public:
  // Maps the first `bytes` bytes of the open file; 0 bytes are allowed. The descriptor may be closed afterwards.
  // `random_reads` turns off read-ahead, because the bytes around a read are not worth reading.
  Mapping(int file, std::size_t bytes, bool random_reads);
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return bytes_; }
  // Pages of the file that could not be read and have been zeros since.
  std::uint64_t lost_pages() const { return guard_.lost_pages(); }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t bytes_;
  GuardedRange guard_;
};

}  // namespace engram
