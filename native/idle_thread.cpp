#include "idle_thread.hpp"

#include <utility>

#ifdef __linux__
#include <sched.h>
#endif

namespace engram {
namespace {

void give_way() {
#ifdef __linux__
  // Everybody who wakes up interrupts an idle thread at once, and a merely nice one only when its time slice is over,
  // some milliseconds later. A refusal leaves an ordinary thread.
  const sched_param none{};
  sched_setscheduler(0, SCHED_IDLE, &none);
#endif
}

}  // namespace

IdleThread::IdleThread() : thread_([this] { serve(); }) {}

IdleThread::~IdleThread() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void IdleThread::run(const std::function<void()>& work) {
  std::unique_lock guard(mutex_);
  work_ = &work;
  changed_.notify_all();
  changed_.wait(guard, [this] { return work_ == nullptr; });
  if (const std::exception_ptr failure = std::exchange(failure_, nullptr)) std::rethrow_exception(failure);
}

void IdleThread::serve() {
  give_way();
  std::unique_lock guard(mutex_);
  while (true) {
    changed_.wait(guard, [this] { return stopping_ || work_ != nullptr; });
    if (work_ == nullptr) return;
    guard.unlock();
    std::exception_ptr failure;
    try {
      (*work_)();
    } catch (...) {
      failure = std::current_exception();
    }
    guard.lock();
    failure_ = failure;
    work_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace engram
