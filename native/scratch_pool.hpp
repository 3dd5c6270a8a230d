// Scratch objects that threads borrow for one call and return, so that their memory is reused.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace engram {

template <class T>
class ScratchPool {
 public:
  explicit ScratchPool(std::function<std::unique_ptr<T>()> make) : make_(std::move(make)) {
    // Returning an object must not fail, not even when memory is short.
    idle_.reserve(kIdleMax);
  }

  class Loan {
   public:
    Loan(ScratchPool& pool, std::unique_ptr<T> object) : pool_(pool), object_(std::move(object)) {}
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() { pool_.give_back(std::move(object_)); }
    T* operator->() const { return object_.get(); }
    T& operator*() const { return *object_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<T> object_;
  };

  Loan borrow() {
    std::unique_ptr<T> object;
    {
      const std::lock_guard guard(mutex_);
      if (!idle_.empty()) {
        object = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    return Loan(*this, object != nullptr ? std::move(object) : make_());
  }

 private:
  // The most idle objects that are worth their memory.
  static constexpr std::size_t kIdleMax = 32;

  void give_back(std::unique_ptr<T> object) {
    const std::lock_guard guard(mutex_);
    if (idle_.size() < kIdleMax) idle_.push_back(std::move(object));
  }

  std::function<std::unique_ptr<T>()> make_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> idle_;
};

}  // namespace engram
