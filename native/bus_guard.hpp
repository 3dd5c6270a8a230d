// Survives reads of mapped files that fail: a sector that cannot be read, or a file that was cut short, gives SIGBUS,
// which would end the process.
//
// A handler of that signal, installed with the first guarded range, puts a page of zeros in the place of one that
// cannot be read, counts it and lets the reader go on. So nothing read from a guarded range may be believed before it
// is compared with a checksum. What happens outside all guarded ranges goes to the handler that was there before.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram {

namespace bus_guard {

struct Entry;

// Pages of guarded ranges that were lost since the process began.
std::uint64_t lost_pages();

}  // namespace bus_guard

// A range of mapped pages that is guarded as long as this object lives. It must end before the range is unmapped.
class GuardedRange {
 public:
  GuardedRange() = default;
  // `writable`: the mapping is private and written to, so the pages of zeros must be, too.
  GuardedRange(const void* begin, std::size_t bytes, bool writable);
  GuardedRange(GuardedRange&& other) noexcept;
  GuardedRange& operator=(GuardedRange&& other) noexcept;
  GuardedRange(const GuardedRange&) = delete;
  GuardedRange& operator=(const GuardedRange&) = delete;
  ~GuardedRange();

  std::uint64_t lost_pages() const;

 private:
  bus_guard::Entry* entry_ = nullptr;
};

}  // namespace engram
