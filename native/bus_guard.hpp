// Keeps the process alive when a read of a mapped file fails: a sector that cannot be read, or a file that was
// truncated, raises SIGBUS, which would end the process.
//
// A handler of that signal, installed with the first guarded range, replaces the page that cannot be read by a page of
// zeros, counts it and lets the reader continue. So bytes from a guarded range must be compared with a checksum before
// they are used. A SIGBUS outside all guarded ranges goes to the handler that was installed before (our own, see
// docs/decisions/0013).
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram {

namespace bus_guard {

struct Entry;

// Returns how many pages of guarded ranges were lost, that is replaced by zeros, since the process began.
std::uint64_t lost_pages();

}  // namespace bus_guard

// A range of mapped pages that is guarded as long as this object lives. Destroy the object before the range is
// unmapped.
class GuardedRange {
 public:
  GuardedRange() = default;
  // `writable`: the mapping is private and written to, so the pages of zeros must be writable, too.
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
