// Work that must not delay anything else, on a thread of low priority.
#pragma once

#include <functional>
#include <memory>

namespace engram {

// Runs what its owner gives it while the owner waits. The owner keeps its priority, and with it whatever locks it takes
// before and after: a thread of low priority that loses the processor while it has the interpreter lock would stop
// everybody. Where the system knows no such priorities, it is a thread like others.
//
// A forked child has the owner but not the thread: the next work starts another, and nobody waits for the one that is
// not there.
class BackgroundThread {
 public:
  BackgroundThread();
  ~BackgroundThread();
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;

  // Returns when `work` is done; what it throws is thrown here.
  void run(const std::function<void()>& work);

 private:
  class Server;
  void leave_to_parent();

  std::unique_ptr<Server> server_;
};

}  // namespace engram
