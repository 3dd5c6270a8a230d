// Work that several threads share, the calling one among them.
#pragma once

#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace engram {

// Runs `work` on this thread and on up to `threads - 1` others, and returns when it has ended on all of them. If the
// system has no more threads, fewer share the work. What `work` throws on any of them, the call throws, once.
template <class Work>
void share_work(std::size_t threads, const Work& work) {
  std::mutex failing;
  std::exception_ptr failure;
  const auto guarded = [&] {
    try {
      work();
    } catch (...) {
      const std::lock_guard guard(failing);
      if (failure == nullptr) failure = std::current_exception();
    }
  };
  std::vector<std::thread> helpers;
  helpers.reserve(threads);
  while (helpers.size() + 1 < threads) {
    try {
      helpers.emplace_back(guarded);
    } catch (const std::system_error&) {
      break;
    }
  }
  guarded();
  for (std::thread& helper : helpers) helper.join();
  if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace engram
