// Waits until nobody reads any more what was just taken out of use.
//
// A reader counts itself in and out of the present round. Whoever replaced something begins a new round and waits for
// those of the old one: they may still hold what they loaded before it was replaced, and later ones cannot.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>

namespace engram {

class Readers {
 public:
  class Reading {
   public:
    explicit Reading(Readers& readers) : count_(readers.enter()) {}
    ~Reading() { count_.fetch_sub(1, std::memory_order_release); }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

   private:
    std::atomic<std::size_t>& count_;
  };

  Reading read() { return Reading(*this); }

  // Returns when every reader that had begun before the call has ended.
  void wait_for_earlier() {
    const std::lock_guard alone(waiting_);
    const std::uint64_t round = round_.fetch_add(1, std::memory_order_seq_cst);
    while (inside_[round & 1].load(std::memory_order_acquire) != 0) std::this_thread::yield();
  }

 private:
  std::atomic<std::size_t>& enter() {
    while (true) {
      const std::uint64_t round = round_.load(std::memory_order_seq_cst);
      std::atomic<std::size_t>& count = inside_[round & 1];
      count.fetch_add(1, std::memory_order_seq_cst);
      // A round that ended in between may not have waited for this reader.
      if (round_.load(std::memory_order_seq_cst) == round) return count;
      count.fetch_sub(1, std::memory_order_release);
    }
  }

  std::mutex waiting_;
  std::atomic<std::uint64_t> round_{0};
  std::atomic<std::size_t> inside_[2]{};
};

}  // namespace engram
