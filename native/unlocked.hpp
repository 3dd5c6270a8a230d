// Releases the interpreter lock for native work, and ends safely even if the interpreter has ended meanwhile.
#pragma once

#include <Python.h>

#include <cstddef>

#ifdef __GLIBCXX__
#include <cxxabi.h>
#include <unistd.h>
#endif

namespace engram {

// Releases the interpreter lock while it lives.
//
// An interpreter that has ended never gives the lock back. Until Python 3.14 it ends a thread that asks for the lock by
// pthread_exit, which unwinds the stack by force. A destructor must not be left that way, because std::terminate would
// abort the process in the middle of its orderly shutdown. So the thread pauses here, with nothing left to do, until
// the process ends.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() {
#ifdef __GLIBCXX__
    try {
      PyEval_RestoreThread(state_);
    } catch (abi::__forced_unwind&) {
      while (true) pause();
    }
#else
    PyEval_RestoreThread(state_);
#endif
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

// Work on fewer bytes than this keeps the interpreter lock: it takes less time than to release the lock and get it back
// from another thread.
inline constexpr std::size_t kUnlockedBytesMin = std::size_t{128} << 10;

// Runs `work`, and releases the interpreter lock if `work` reads so many bytes that other threads would wait for it.
template <class Work>
auto run_over(std::size_t bytes, Work work) {
  if (bytes < kUnlockedBytesMin) return work();
  const Unlocked unlocked;
  return work();
}

}  // namespace engram
