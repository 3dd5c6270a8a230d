#include "bus_guard.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

namespace engram {
namespace bus_guard {

// One guarded range. Entries are never freed, only reused, so the handler can walk their list at any time. The version
// of an entry is odd while the entry changes, and the handler skips such an entry: the range that a faulting thread
// reads does not change meanwhile.
struct Entry {
  std::atomic<std::uint32_t> version{1};
  std::atomic<std::uintptr_t> begin{0};  // Equal to `end` if the entry is free.
  std::atomic<std::uintptr_t> end{0};
  std::atomic<bool> writable{false};
  std::atomic<std::uint64_t> lost{0};
  Entry* next = nullptr;
};

namespace {

// The handler may only use atomics that are free of locks.
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

std::atomic<Entry*> entries{nullptr};
std::atomic<std::uint64_t> lost_in_all{0};
// The kernel limits the number of mappings of a process, and at the limit it accepts no more. Replacing a page adds at
// most two mappings. So long before the limit is reached, a whole range is replaced instead, which reduces their
// number.
constexpr std::uint64_t kScatteredMax = 16'000;
std::atomic<std::uint64_t> scattered{0};
std::atomic<int> raised{0};  // How often this process raised the signal itself since the last repaired fault.
std::uintptr_t page_bytes = 0;
struct sigaction previous{};

struct Hit {
  Entry* entry = nullptr;
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool writable = false;
};

Hit find(std::uintptr_t address) {
  for (Entry* e = entries.load(std::memory_order_acquire); e != nullptr; e = e->next) {
    const std::uint32_t version = e->version.load(std::memory_order_acquire);
    if ((version & 1U) != 0) continue;
    const Hit hit{e, e->begin.load(std::memory_order_acquire), e->end.load(std::memory_order_acquire),
                  e->writable.load(std::memory_order_acquire)};
    if (e->version.load(std::memory_order_acquire) != version) continue;
    if (address >= hit.begin && address < hit.end) return hit;
  }
  return {};
}

bool put_zeros(std::uintptr_t begin, std::size_t bytes, bool writable) {
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
#ifdef __linux__
  // A system call instead of the library's mmap: sanitizers and other libraries that replace mmap do more there than a
  // handler may do.
  return syscall(SYS_mmap, begin, bytes, protection, kFlags, -1, 0) != -1;
#else
  return mmap(reinterpret_cast<void*>(begin), bytes, protection, kFlags, -1, 0) != MAP_FAILED;
#endif
}

// Returns whether the fault is repaired, so that the instruction can be tried again.
bool mend(std::uintptr_t address) {
  const Hit hit = find(address);
  if (hit.entry == nullptr) return false;
  std::uintptr_t begin = address & ~(page_bytes - 1);
  std::size_t bytes = page_bytes;
  const bool too_scattered = scattered.fetch_add(1, std::memory_order_acq_rel) >= kScatteredMax;
  if (too_scattered || !put_zeros(begin, bytes, hit.writable)) {
    begin = hit.begin;
    bytes = (hit.end - hit.begin + page_bytes - 1) & ~(page_bytes - 1);
    if (!put_zeros(begin, bytes, hit.writable)) return false;
  }
  hit.entry->lost.fetch_add(bytes / page_bytes, std::memory_order_acq_rel);
  lost_in_all.fetch_add(bytes / page_bytes, std::memory_order_acq_rel);
  return true;
}

bool is_function(const struct sigaction& action) {
  if ((action.sa_flags & SA_SIGINFO) != 0) return true;
  return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

// Does what would have happened without this handler (`to_previous`) or without any handler.
void pass_on(int signal, siginfo_t* info, void* context, bool to_previous) {
  const bool fault = info->si_code > 0;
  if (to_previous && is_function(previous)) {
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
      previous.sa_sigaction(signal, info, context);
    } else {
      previous.sa_handler(signal);
    }
    return;
  }
  // The kernel does not let a process ignore a fault, only a signal that was sent.
  if (!fault && previous.sa_handler == SIG_IGN) return;
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  sigemptyset(&plain.sa_mask);
  sigaction(signal, &plain, nullptr);
  // The instruction of a fault is tried again and ends the process, with the place of the fault in the core dump.
  if (!fault) raise(signal);
}

// A handler that was installed later, such as Python's faulthandler, restores this one and raises the signal again,
// without the address. If this handler then does nothing, the instruction is tried again, and the fault arrives with
// its address. So the first raise is ignored. A signal that was raised on purpose is passed on at the second raise. Two
// handlers that pass the signal to one another end with the default action after three raises.
constexpr int kRaisedBeforeTaken = 1;
constexpr int kRaisedBeforeDefault = 3;

void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  if (info->si_code > 0) {
    if (mend(reinterpret_cast<std::uintptr_t>(info->si_addr))) {
      raised.store(0, std::memory_order_release);
    } else {
      pass_on(signal, info, context, true);
    }
  } else {
    const bool own = info->si_code != SI_USER && info->si_pid == getpid();
    const int times = own ? raised.fetch_add(1, std::memory_order_acq_rel) : kRaisedBeforeTaken;
    if (times >= kRaisedBeforeTaken) pass_on(signal, info, context, times < kRaisedBeforeDefault);
  }
  errno = error;
}

void install() {
  page_bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  struct sigaction action{};
  action.sa_sigaction = on_bus_error;
  sigemptyset(&action.sa_mask);
  // The signal is not blocked in this handler: a handler that it passes the signal to may raise it again on purpose.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGBUS, nullptr, &previous);
  sigaction(SIGBUS, &action, nullptr);
}

void install_once() {
  static std::once_flag installed;
  std::call_once(installed, install);
}

// Returns a free entry, marked as changing. Takes no lock, because another thread may fork at any moment.
Entry* claim() {
  for (Entry* e = entries.load(std::memory_order_acquire); e != nullptr; e = e->next) {
    std::uint32_t version = e->version.load(std::memory_order_acquire);
    const bool in_use = e->begin.load(std::memory_order_acquire) != e->end.load(std::memory_order_acquire);
    if ((version & 1U) != 0 || in_use) continue;
    if (e->version.compare_exchange_strong(version, version + 1, std::memory_order_acq_rel)) return e;
  }
  auto* fresh = new Entry;
  fresh->next = entries.load(std::memory_order_relaxed);
  while (!entries.compare_exchange_weak(fresh->next, fresh, std::memory_order_acq_rel)) {
  }
  return fresh;
}

}  // namespace

std::uint64_t lost_pages() { return lost_in_all.load(std::memory_order_acquire); }

}  // namespace bus_guard

GuardedRange::GuardedRange(const void* begin, std::size_t bytes, bool writable) {
  if (bytes == 0) return;
  bus_guard::install_once();
  entry_ = bus_guard::claim();
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  entry_->begin.store(address, std::memory_order_release);
  entry_->end.store(address + bytes, std::memory_order_release);
  entry_->writable.store(writable, std::memory_order_release);
  entry_->lost.store(0, std::memory_order_release);
  entry_->version.fetch_add(1, std::memory_order_acq_rel);
}

GuardedRange::GuardedRange(GuardedRange&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}

GuardedRange& GuardedRange::operator=(GuardedRange&& other) noexcept {
  std::swap(entry_, other.entry_);
  return *this;
}

GuardedRange::~GuardedRange() {
  if (entry_ == nullptr) return;
  entry_->version.fetch_add(1, std::memory_order_acq_rel);
  entry_->end.store(entry_->begin.load(std::memory_order_relaxed), std::memory_order_release);
  entry_->version.fetch_add(1, std::memory_order_acq_rel);
}

std::uint64_t GuardedRange::lost_pages() const {
  return entry_ == nullptr ? 0 : entry_->lost.load(std::memory_order_acquire);
}

}  // namespace engram
