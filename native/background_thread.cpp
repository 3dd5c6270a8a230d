#include "background_thread.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#endif

namespace engram {
namespace {

// A thread of this niceness gets a tenth of what other threads get when all want the processor. The lowest priority,
// SCHED_IDLE, would get next to nothing beside another busy program, and the index would make no progress (see
// docs/decisions/0010).
constexpr int kNiceness = 10;

void give_way() {
#ifdef __linux__
  // Linux has priorities per thread. If the call is refused, the thread keeps its ordinary priority.
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNiceness);
#endif
}

}  // namespace

// The thread, and the state that it shares with its owner.
class BackgroundThread::Server {
 public:
  Server() : process_(getpid()), thread_([this] { serve(); }) {}

  ~Server() {
    {
      const std::lock_guard guard(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  bool is_of_this_process() const { return process_ == getpid(); }

  void run(const std::function<void()>& work) {
    std::unique_lock guard(mutex_);
    work_ = &work;
    changed_.notify_all();
    changed_.wait(guard, [this] { return work_ == nullptr; });
    if (const std::exception_ptr failure = std::exchange(failure_, nullptr)) std::rethrow_exception(failure);
  }

 private:
  void serve() {
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

  const pid_t process_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* work_ = nullptr;
  std::exception_ptr failure_;
  bool stopping_ = false;
  std::thread thread_;
};

BackgroundThread::BackgroundThread() : server_(std::make_unique<Server>()) {}

BackgroundThread::~BackgroundThread() { leave_to_parent(); }

void BackgroundThread::run(const std::function<void()>& work) {
  leave_to_parent();
  if (server_ == nullptr) server_ = std::make_unique<Server>();
  server_->run(work);
}

void BackgroundThread::leave_to_parent() {
  // In a forked child the thread does not exist. Joining it, or destroying what it waits for, would block for ever, so
  // the child leaks the server.
  if (server_ != nullptr && !server_->is_of_this_process()) static_cast<void>(server_.release());
}

}  // namespace engram
