// Native work without the interpreter lock, which ends well even if the interpreter has ended meanwhile.
#pragma once

#include <Python.h>

#ifdef __GLIBCXX__
#include <cxxabi.h>
#include <unistd.h>
#endif

namespace engram {

// Releases the interpreter lock while it lives.
//
// An interpreter that has ended never gives the lock back: until Python 3.14 it ends the asking thread with
// pthread_exit, which unwinds the stack by force, and a destructor must not be left that way: std::terminate would
// abort the process in the middle of its orderly end. So the thread stays here, with nothing left to do, until the
// process is gone.
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

}  // namespace engram
