#include "second_thread.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

namespace engram {
namespace {

// The pieces of one call.
class Share {
 public:
  Share(std::size_t count, const Piece& piece) : count_(count), piece_(piece) {}

  // Does pieces until none is left.
  void work(std::size_t worker) {
    try {
      for (std::size_t i = next_.fetch_add(1, std::memory_order_relaxed); i < count_;
           i = next_.fetch_add(1, std::memory_order_relaxed)) {
        piece_(i, worker);
      }
    } catch (...) {
      failures_[worker] = std::current_exception();
      next_.store(count_, std::memory_order_relaxed);
    }
  }

  // To be called when nobody works any more.
  void rethrow() const {
    for (const std::exception_ptr& failure : failures_) {
      if (failure != nullptr) std::rethrow_exception(failure);
    }
  }

 private:
  const std::size_t count_;
  const Piece& piece_;
  std::atomic<std::size_t> next_{0};
  std::exception_ptr failures_[kWorkers];
};

class SecondThread {
 public:
  SecondThread() : process_(getpid()) {
    if (std::thread::hardware_concurrency() < kWorkers) return;
    try {
      std::thread([this] { serve(); }).detach();
      exists_ = true;
    } catch (const std::system_error&) {
      // The system has no more threads.
    }
  }

  void share(Share& share) {
    if (!exists_ || process_ != getpid() || taken_.exchange(true, std::memory_order_acquire)) {
      share.work(0);
      return;
    }
    {
      const std::lock_guard guard(mutex_);
      offered_ = &share;
    }
    wanted_.notify_one();
    share.work(0);
    {
      std::unique_lock guard(mutex_);
      // If the second thread has not woken up yet, there is nothing left for it.
      offered_ = nullptr;
      done_.wait(guard, [this] { return !working_; });
    }
    taken_.store(false, std::memory_order_release);
  }

 private:
  [[noreturn]] void serve() {
    std::unique_lock guard(mutex_);
    while (true) {
      wanted_.wait(guard, [this] { return offered_ != nullptr; });
      Share& share = *offered_;
      offered_ = nullptr;
      working_ = true;
      guard.unlock();
      share.work(1);
      guard.lock();
      working_ = false;
      done_.notify_one();
    }
  }

  const pid_t process_;
  bool exists_ = false;
  std::atomic<bool> taken_{false};
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable done_;
  Share* offered_ = nullptr;
  bool working_ = false;
};

}  // namespace

void share_pieces(std::size_t count, const Piece& piece) {
  // It is never destroyed, because its thread may still use it while the process ends.
  static SecondThread* const second = new SecondThread();
  Share share(count, piece);
  second->share(share);
  share.rethrow();
}

}  // namespace engram
