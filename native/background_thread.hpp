// A thread of low priority, for work that must not delay anything else (our own, see docs/decisions/0010).
#pragma once

#include <functional>
#include <memory>

namespace engram {

// Runs work for its owner on a thread of low priority while the owner waits. The owner keeps its normal priority, so it
// also holds the locks that it takes before and after the work at that priority: a thread of low priority that lost the
// processor while it held the interpreter lock would stop all other threads. On systems other than Linux, the thread
// has normal priority.
//
// A forked child has the owner but not the thread. The next call of `run` in the child starts a new thread, and nothing
// waits for the missing one.
class BackgroundThread {
 public:
  BackgroundThread();
  ~BackgroundThread();
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;

  // Returns when `work` is done. An exception that `work` throws is rethrown here.
  void run(const std::function<void()>& work);

 private:
  class Server;
  void leave_to_parent();

  std::unique_ptr<Server> server_;
};

}  // namespace engram
