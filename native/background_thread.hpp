// Work that must not delay anything else, on a thread of low priority.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace engram {

// Runs what its owner gives it while the owner waits. The owner keeps its priority, and with it whatever locks it takes
// before and after: a thread of low priority that loses the processor while it has the interpreter lock would stop
// everybody. Where the system knows no such priorities, it is a thread like others.
class BackgroundThread {
 public:
  BackgroundThread();
  ~BackgroundThread();
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;

  // Returns when `work` is done; what it throws is thrown here.
  void run(const std::function<void()>& work);

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* work_ = nullptr;
  std::exception_ptr failure_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace engram
