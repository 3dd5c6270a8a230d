#include "background_thread.hpp"

#include <utility>

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace engram {
namespace {

// A tenth of what others get when all want the processor. The lowest priority of all, SCHED_IDLE, would leave next to
// nothing beside another busy program, and then the index would not get anywhere.
constexpr int kNiceness = 10;

void give_way() {
#ifdef __linux__
  // Linux has priorities per thread. A refusal leaves an ordinary thread.
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNiceness);
#endif
}

}  // namespace

BackgroundThread::BackgroundThread() : thread_([this] { serve(); }) {}

BackgroundThread::~BackgroundThread() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundThread::run(const std::function<void()>& work) {
  std::unique_lock guard(mutex_);
  work_ = &work;
  changed_.notify_all();
  changed_.wait(guard, [this] { return work_ == nullptr; });
  if (const std::exception_ptr failure = std::exchange(failure_, nullptr)) std::rethrow_exception(failure);
}

void BackgroundThread::serve() {
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
