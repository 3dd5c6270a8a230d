// A campaign for the sanitizers: one writer, two linkers, two searchers and a saver at once on one index, then checks
// that must hold afterwards. Run by `make sanitize`; prints what it did and exits non-zero at the first broken promise.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "index.hpp"

namespace {

using engram::Generation;
using engram::Index;
using engram::Metric;

constexpr std::size_t kK = 5;
constexpr std::size_t kEf = 64;
constexpr std::size_t kBatch = 256;

void check(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", promise);
  std::exit(1);
}

std::vector<float> random_vectors(std::size_t n, std::size_t dim) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> vectors(n * dim);
  for (float& x : vectors) x = normal(random);
  return vectors;
}

struct Campaign {
  std::size_t n, dim;
  std::vector<float> vectors;
  Index index;
  std::atomic<Generation> acknowledged{0};
  std::atomic<bool> written{false};
  std::atomic<std::size_t> searches{0};

  Campaign(std::size_t n_, std::size_t dim_, Metric metric)
      : n(n_), dim(dim_), vectors(random_vectors(n_, dim_)), index(dim_, metric, {8, 31, 24}) {}

  // Every fourth batch is followed by deletions of every tenth vector of the batch before, each a generation.
  void write() {
    Generation generation = 0;
    for (std::size_t start = 0; start < n; start += kBatch) {
      const std::size_t count = std::min(kBatch, n - start);
      index.append(&vectors[start * dim], count, generation + 1,
                   start % (2 * kBatch) == 0 ? &vectors[start * dim] : nullptr);
      const Generation first = generation + 1;
      generation += count;
      index.publish(generation);
      if (start / kBatch % 4 == 3) {
        for (Generation version = first; version < first + count; version += 10) index.remove(version, ++generation);
        index.publish(generation);
      }
      acknowledged.store(generation, std::memory_order_release);
    }
    written.store(true, std::memory_order_release);
  }

  void link() {
    while (!written.load(std::memory_order_acquire) || index.indexed_generation() < index.visible_generation()) {
      if (index.link(64) == 0) std::this_thread::yield();
    }
  }

  void search(std::size_t step) {
    Generation found[kK];
    float scores[kK];
    std::size_t i = 0;
    while (!written.load(std::memory_order_acquire) || i < 50) {
      const Generation snapshot = acknowledged.load(std::memory_order_acquire);
      if (snapshot == 0) continue;
      index.search(&vectors[(i * step % n) * dim], 1, kK, kEf, snapshot, 1, found, scores);
      for (const Generation g : found) check(g <= snapshot, "a search never returns what is newer than its snapshot");
      ++i;
    }
    searches += i;
  }

  void save(const std::string& path) {
    for (int i = 0; i < 3; ++i) {
      const Generation covered = index.save(path, true);
      const auto loaded = Index::load(path, nullptr);
      check(loaded->visible_generation() == covered, "a checkpoint covers what it says");
      const engram::Statistics s = loaded->statistics();
      check(s.unreachable == 0 && s.invalid_links == 0, "a checkpoint taken while inserting is sound");
    }
  }

  void run(const std::string& path) {
    std::vector<std::thread> threads;
    threads.emplace_back([this] { write(); });
    for (int i = 0; i < 2; ++i) threads.emplace_back([this] { link(); });
    for (std::size_t step : {7919U, 104729U}) threads.emplace_back([this, step] { search(step); });
    threads.emplace_back([this, &path] { save(path); });
    for (std::thread& thread : threads) thread.join();
    const engram::Statistics s = index.statistics();
    check(s.linked == n && s.slots == n, "everything is linked");
    check(s.unreachable == 0, "every node is reachable");
    check(s.invalid_links == 0, "every link is valid");
    std::printf("dim %zu: %zu vectors, %zu deleted, %zu searches beside the inserts: sound\n", dim, n, s.dead,
                searches.load());
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s SCRATCH_FILE\n", argv[0]);
    return 2;
  }
  Campaign(6'000, 64, Metric::kCosine).run(argv[1]);
  Campaign(4'000, 320, Metric::kCosine).run(argv[1]);
  Campaign(3'000, 96, Metric::kL2).run(argv[1]);
  Campaign(3'000, 96, Metric::kInnerProduct).run(argv[1]);
  std::remove(argv[1]);
  return 0;
}
