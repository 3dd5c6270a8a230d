#include "mapping.hpp"

#include <cerrno>
#include <system_error>

#include <sys/mman.h>

namespace engram {

Mapping::Mapping(int file, std::size_t bytes, bool random_reads) : bytes_(bytes) {
  if (bytes == 0) return;
  void* mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "cannot map the file");
  data_ = static_cast<std::uint8_t*>(mapped);
  try {
    guard_ = GuardedRange(data_, bytes, false);
  } catch (...) {
    munmap(data_, bytes);
    throw;
  }
  // If the kernel refuses, that costs speed, not correctness.
  if (random_reads) static_cast<void>(madvise(mapped, bytes, MADV_RANDOM));
}

Mapping::~Mapping() {
  guard_ = GuardedRange();
  if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace engram
