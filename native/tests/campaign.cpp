// A campaign for the sanitizers. One index is used at once by a writer, two linkers that run out of memory now and
// then, two searchers, a walker, a matcher of standing recalls, a saver, and a mover to a fresh index. Then the
// campaign checks what must hold afterwards. Then it truncates files while threads read them, and lets threads share
// scans. Finally it reads damaged messages. Run by `make sanitize`. It prints what it did, and exits with a status
// other than zero at the first broken guarantee.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "background_thread.hpp"
#include "index.hpp"
#include "lost_pages.hpp"
#include "messages.hpp"
#include "shared_scans.hpp"

namespace {

// How many more allocations of this thread succeed before one fails; negative: all succeed.
thread_local int allocations_left = -1;

}  // namespace

void* operator new(std::size_t bytes) {
  if (allocations_left == 0) {
    allocations_left = -1;
    throw std::bad_alloc();
  }
  if (allocations_left > 0) --allocations_left;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using engram::AllowList;
using engram::CueTable;
using engram::Generation;
using engram::Index;
using engram::Metric;

constexpr std::size_t kK = 5;
constexpr std::size_t kEf = 64;
constexpr std::size_t kBatch = 256;

void check(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", promise);
  std::_Exit(1);
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
  std::atomic<std::size_t> failures{0};

  Campaign(std::size_t n_, std::size_t dim_, Metric metric)
      : n(n_), dim(dim_), vectors(random_vectors(n_, dim_)), index(dim_, metric, {8, 31, 24}) {}

  // Every other batch is used where it lies; the others are copied.
  std::optional<engram::RawVector> raw(std::size_t start) const {
    if (start % (2 * kBatch) != 0) return std::nullopt;
    return engram::RawVector(&vectors[start * dim]);
  }

  // After every fourth batch, every tenth vector of that batch is deleted. Each deletion has a generation of its own.
  void write() {
    Generation generation = 0;
    for (std::size_t start = 0; start < n; start += kBatch) {
      const std::size_t count = std::min(kBatch, n - start);
      index.append(&vectors[start * dim], count, generation + 1, raw(start));
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

  void link(std::size_t calls) {
    engram::BackgroundThread aside;
    while (!written.load(std::memory_order_acquire) || index.indexed_generation() < index.visible_generation()) {
      std::size_t linked = 0;
      // Some calls fail at their first allocation, some later, and most not at all. Later calls link the slots that
      // failed calls leave.
      const int fails_after = ++calls % 3 == 0 ? static_cast<int>(calls % 7) : -1;
      try {
        aside.run([&] {
          allocations_left = fails_after;
          linked = index.link(64);
        });
      } catch (const std::bad_alloc&) {
        ++failures;
        linked = 1;
      }
      aside.run([] { allocations_left = -1; });
      if (linked == 0) std::this_thread::yield();
    }
  }

  void search(std::size_t step) {
    Generation found[kK];
    float scores[kK];
    std::size_t i = 0;
    while (!written.load(std::memory_order_acquire) || i < 50) {
      const Generation snapshot = acknowledged.load(std::memory_order_acquire);
      if (snapshot == 0) continue;
      index.search(&vectors[(i * step % n) * dim], 1, kK, kEf, snapshot, AllowList(), 1, found, scores);
      for (const Generation g : found) check(g <= snapshot, "a search never returns what is newer than its snapshot");
      ++i;
    }
    searches += i;
  }

  void walk() {
    for (std::size_t i = 0; !written.load(std::memory_order_acquire) || i < 20; ++i) {
      const Generation snapshot = acknowledged.load(std::memory_order_acquire);
      const std::vector<std::uint64_t> words(snapshot / 64 + 1, 0x5555555555555555ULL);
      const auto walk = index.walk(&vectors[(i * 31 % n) * dim], snapshot, AllowList(words.data(), words.size()));
      std::set<Generation> seen;
      for (int batch = 0; batch < 5; ++batch) {
        for (const engram::Found& found : walk->next(kK, kEf)) {
          const Generation g = index.generation_of(found.slot);
          check(g <= snapshot && g % 2 == 0, "a walk finds only what its snapshot and its filter let through");
          check(seen.insert(g).second, "a walk finds nothing twice");
        }
      }
    }
  }

  void match() {
    CueTable cues(dim, index.metric());
    Generation matched = 0;
    for (std::int64_t key = 0;
         matched < acknowledged.load(std::memory_order_acquire) || !written.load(std::memory_order_acquire); ++key) {
      cues.add(key % 10, &vectors[(static_cast<std::size_t>(key) % n) * dim], 0.5F);
      const Generation last = acknowledged.load(std::memory_order_acquire);
      for (const engram::Match& m : index.match(cues, matched + 1, last).first) {
        check(m.generation > matched && m.generation <= last, "a match is one of the generations asked for");
      }
      matched = last;
    }
  }

  // Moves the live versions to a fresh index, again and again, while everything else goes on.
  void move() {
    for (int i = 0; i < 3; ++i) {
      Index fresh(dim, index.metric(), index.parameters());
      engram::Slot next = 0;
      for (int round = 0; round < 3; ++round) {
        next = fresh.take_over(index, next, acknowledged.load(std::memory_order_acquire), false);
        while (fresh.link(64) > 0) {
        }
      }
      const engram::Statistics s = fresh.statistics();
      check(s.unreachable == 0 && s.invalid_links == 0 && s.linked == fresh.size(), "a moved index is sound");
    }
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
    for (std::size_t i = 0; i < 2; ++i) threads.emplace_back([this, i] { link(i); });
    for (std::size_t step : {7919U, 104729U}) threads.emplace_back([this, step] { search(step); });
    threads.emplace_back([this] { walk(); });
    threads.emplace_back([this] { match(); });
    threads.emplace_back([this] { move(); });
    threads.emplace_back([this, &path] { save(path); });
    for (std::thread& thread : threads) thread.join();
    const engram::Statistics s = index.statistics();
    check(s.linked == n && s.slots == n, "everything is linked");
    check(s.unreachable == 0, "every node is reachable");
    check(s.invalid_links == 0, "every link is valid");
    check(failures > 0, "linking ran out of memory now and then");
    std::printf("dim %zu: %zu vectors, %zu deleted, %zu searches beside the inserts, %zu failed allocations: sound\n",
                dim, n, s.dead, searches.load(), failures.load());
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
  for (std::size_t place = 0; place < engram::kMetricCount; ++place) {
    Campaign(3'000, 96, static_cast<Metric>(place)).run(argv[1]);
    for (const std::size_t dim : {1, 2, 7}) Campaign(3'000, dim, static_cast<Metric>(place)).run(argv[1]);
  }
  std::remove(argv[1]);
  lose_pages(argv[1]);
  share_scans();
  read_messages();
  return 0;
}
