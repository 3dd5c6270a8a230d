#include "shared_scans.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "index.hpp"

namespace {

using engram::AllowList;
using engram::Generation;

constexpr std::size_t kCount = 80'000;
constexpr std::size_t kDim = 8;
constexpr std::size_t kK = 20;
constexpr std::size_t kSearches = 20;

struct Result {
  Generation generations[kK];
  float scores[kK];
};

}  // namespace

void share_scans() {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  std::vector<float> vectors(kCount * kDim);
  for (float& x : vectors) x = normal(random);
  engram::Index index(kDim, engram::Metric::kL2, {8, 31, 24});
  index.append(vectors.data(), kCount, 1, std::nullopt);
  index.publish(kCount);
  const std::vector<std::uint64_t> words(kCount / 64 + 1, 0x5555555555555555ULL);
  const auto search = [&](std::size_t i, std::size_t threads) {
    Result found;
    index.search(&vectors[i * kDim], 1, kK, 64, engram::kNever, AllowList(words.data(), words.size()), threads,
                 found.generations, found.scores);
    return found;
  };
  const auto compare = [&] {
    for (std::size_t i = 0; i < kSearches; ++i) {
      const Result alone = search(i, 1);
      const Result together = search(i, 2);
      if (std::equal(alone.generations, alone.generations + kK, together.generations)) continue;
      std::fprintf(stderr, "broken: two threads find what one finds\n");
      std::_Exit(1);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(compare);
  for (std::thread& thread : threads) thread.join();
  std::printf("%zu scans of %zu rows, shared with a second thread: sound\n", 3 * kSearches, kCount / 2);
}
