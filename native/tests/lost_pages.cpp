#include "lost_pages.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "index.hpp"
#include "mapping.hpp"
#include "sectors.hpp"

namespace {

using engram::AllowList;
using engram::Generation;
using engram::Index;
using engram::Mapping;

constexpr std::size_t kCount = 2'000;
constexpr std::size_t kDim = 64;
constexpr std::size_t kPage = 4096;

void check(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", promise);
  std::_Exit(1);
}

// A file that exists as long as this object, and a mapping of it.
class CutFile {
 public:
  CutFile(std::string path, const void* data, std::size_t bytes) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(fd_ >= 0 && ::pwrite(fd_, data, bytes, 0) == static_cast<ssize_t>(bytes), "the campaign can write its files");
    mapping_ = std::make_unique<Mapping>(fd_, bytes, true);
  }
  CutFile(const CutFile&) = delete;
  CutFile& operator=(const CutFile&) = delete;
  ~CutFile() {
    mapping_.reset();
    ::close(fd_);
    ::unlink(path_.c_str());
  }

  const Mapping& mapping() const { return *mapping_; }
  void cut(std::size_t bytes) const { check(::ftruncate(fd_, static_cast<off_t>(bytes)) == 0, "a file can be cut"); }

 private:
  std::string path_;
  int fd_ = -1;
  std::unique_ptr<Mapping> mapping_;
};

std::vector<float> random_vectors() {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  std::vector<float> vectors(kCount * kDim);
  for (float& x : vectors) x = normal(random);
  return vectors;
}

// Searches in all threads meet lost vectors at once. They must name lost vectors as damaged and find none of them.
void search_what_is_lost(const std::string& path) {
  const std::vector<float> vectors = random_vectors();
  const CutFile file(path + "-raw", vectors.data(), vectors.size() * sizeof(float));
  Index index(kDim, engram::Metric::kCosine, {8, 31, 24});
  index.append(vectors.data(), kCount, 1, engram::RawVector(reinterpret_cast<const float*>(file.mapping().data())));
  index.publish(kCount);
  while (index.link(256) > 0) {
  }
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<bool> cut{false};
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 400; ++i) {
        const bool all_lost = cut.load(std::memory_order_acquire);
        Generation found[5];
        float scores[5];
        const float* query = &vectors[(t * 401 + i) % kCount * kDim];
        const auto damaged = index.search(query, 1, 5, 64, kCount, AllowList(), 1, found, scores);
        if (all_lost) check(found[0] == 0 && !damaged.empty(), "nothing is found by a vector that is lost");
      }
    });
  }
  file.cut(0);
  cut.store(true, std::memory_order_release);
  for (std::thread& thread : threads) thread.join();
  check(file.mapping().lost_pages() > 0, "lost pages are counted");
  check(index.lost_pages() == 0, "they are those of the vectors, and not of the index");
}

// Creates and removes mappings while other mapped files are truncated under their readers.
void map_and_cut(const std::string& path) {
  const std::vector<std::uint8_t> zeros(64 * kPage, 0);
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 50; ++i) {
        const CutFile file(path + "-" + std::to_string(t), zeros.data(), zeros.size());
        file.cut(i * kPage);
        const engram::Octets octets(file.mapping().data(), file.mapping().size());
        check(engram::nonzero_sector(octets, 0, octets.size()) == engram::kAllRight, "what is lost reads as zeros");
        check(file.mapping().lost_pages() == 64 - i, "each lost page is counted once, for the mapping it is of");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

void lose_pages(const std::string& path) {
  search_what_is_lost(path);
  map_and_cut(path);
  std::printf("%llu pages lost under readers: survived\n",
              static_cast<unsigned long long>(engram::bus_guard::lost_pages()));
}
