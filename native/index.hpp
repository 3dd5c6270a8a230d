// The index as the rest of Engram uses it: append, publish, delete, link, search, save, load.
//
// One thread (the appending thread) appends, publishes and deletes. Any number of threads link and search at the same
// time.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "checkpoint.hpp"
#include "cue_table.hpp"
#include "graph.hpp"
#include "linker.hpp"
#include "metric.hpp"
#include "readers.hpp"
#include "scratch_pool.hpp"
#include "searcher.hpp"
#include "types.hpp"
#include "view.hpp"
#include "walk.hpp"

namespace engram {

struct Statistics {
  std::size_t slots = 0;
  std::size_t linked = 0;
  std::size_t dead = 0;
  std::size_t entries = 0;
  std::size_t links = 0;
  std::size_t unreachable = 0;       // Linked slots that no path from the entries reaches.
  std::size_t invalid_links = 0;     // To the node itself, to an unlinked slot, or repeated.
  std::vector<std::size_t> degrees;  // degrees[d] is the number of nodes with d links.
};

// What the centre of the codes is the mean of. A checkpoint has it as it is.
struct CentreSource {
  std::uint64_t rows = 0;  // Number of vectors; 0 if that is not known.
  Generation last = 0;     // The generation of the last one of them.
};

class Index {
 public:
  Index(std::size_t dim, Metric metric, const GraphParameters& parameters);

  std::size_t dim() const { return graph_.codec().dim(); }
  Metric metric() const { return graph_.geometry().metric(); }
  const GraphParameters& parameters() const { return graph_.parameters(); }

  // Makes the mean of `n` vectors, the last of which will have the generation `last`, the centre of the codes, if the
  // metric allows one. They are the first that will be appended; afterwards it is too late. Without a call, the vectors
  // of the first append make the centre.
  void centre_on(const float* vectors, std::size_t n, Generation last);
  // Whether the centre is the mean of so few vectors that it tells something of one that was erased or dropped since.
  bool remembers_erased() const;
  // Encodes `n` vectors and gives them the generations from `first` on. Searches do not see them before `publish`.
  // `raw` is where the same vectors will lie as long as the index lives, as float32 or float16; it is not read before a
  // search needs it. Without `raw`, the vectors are copied. `sums` are the checksums of the vectors in `raw`, which a
  // search compares with them. Without `sums`, float32 vectors are summed from `vectors`, and float16 vectors from
  // `raw`, which is read for that. `generations`, which must rise, takes the place of `first` if there are gaps.
  void append(const float* vectors, std::size_t n, Generation first, std::optional<RawVector> raw,
              const std::uint32_t* sums = nullptr, const Generation* generations = nullptr);
  // Appends and publishes the published versions of `from` in the slots from `first` on, with the codes they have
  // there, except those that ended at or before `horizon`. Returns the slot from which the next call continues. The raw
  // vectors are used where they lie, unless `from` owns any raw vectors: then all are copied. With `all`, versions that
  // are appended to `from` but not published are appended here, too; the appending thread of `from` must wait
  // meanwhile.
  Slot take_over(const Index& from, Slot first, Generation horizon, bool all);
  // Makes everything up to `generation` visible to searches without a snapshot.
  void publish(Generation generation);
  // Discards the versions that were appended but not published.
  void discard();
  // Ends a version: snapshots from generation `at` on do not see it. Leaves unknown and ended versions alone. Returns
  // whether the version was live.
  bool remove(Generation version, Generation at);
  // Links up to `count_max` published slots into the graph and returns how many it linked; 0 if there are none left.
  std::size_t link(std::size_t count_max);

  // Writes `k` generations and scores per query, best first, padded with generation 0. With `allowed`, only generations
  // that it lets through are found. Returns the generations, ascending, that are left out because their raw vectors are
  // damaged.
  std::vector<Generation> search(const float* queries, std::size_t n, std::size_t k, std::size_t ef,
                                 Generation snapshot, const AllowList& allowed, std::size_t threads,
                                 Generation* generations, float* scores) const;
  // Starts a search that can be continued. The walk must not outlive the index or the words of `allowed`.
  std::unique_ptr<Walk> walk(const float* query, Generation snapshot, const AllowList& allowed) const;
  Generation generation_of(Slot slot) const { return graph_.table().born(slot).load(std::memory_order_relaxed); }
  std::vector<Generation> generations_of(const std::vector<Slot>& slots) const;
  // Returns which cues the published versions of the generations [first, last] match, in the order of generations, and
  // the generations that are left out because their raw vectors are damaged.
  std::pair<std::vector<Match>, std::vector<Generation>> match(CueTable& cues, Generation first, Generation last) const;
  // Copies the raw vectors of `n` versions to the rows of `out` and says in `live` which of them are published and have
  // not ended: 1 or 0. The rows of the others are zeros, and so are those of damaged vectors, whose generations it
  // returns, ascending.
  std::vector<Generation> copy_raw(const Generation* versions, std::size_t n, float* out, std::uint8_t* live) const;

  bool owns_raw() const { return owns_raw_.load(std::memory_order_acquire); }
  Generation visible_generation() const { return visible_generation_.load(std::memory_order_acquire); }
  // The generation up to which everything is linked into the graph.
  Generation indexed_generation() const;
  std::size_t size() const { return visible_slots_.load(std::memory_order_acquire); }
  std::size_t live() const { return size() - dead_.load(std::memory_order_acquire); }
  // How many published versions `take_over` with this horizon would leave out. Looks at each of them.
  std::size_t droppable(Generation horizon) const;
  std::size_t nbytes() const;
  // Pages of the checkpoint of this index that could not be read. If there are any, search results may be wrong or
  // incomplete.
  std::uint64_t lost_pages() const { return graph_.table().lost_pages() + raw_mapping_.lost_pages(); }
  // Throws CorruptCheckpoint if a page of the checkpoint was lost. Callers that answer from the index call it
  // afterwards.
  void check_whole() const;
  Statistics statistics() const;

  // Writes a checkpoint of the linked part and returns the generation it covers. Linking waits while the lists are
  // copied; appends and searches go on. `with_raw` adds the raw vectors, for an index that stands alone. Throws
  // CorruptCheckpoint or DamagedVector rather than write what is known to be damaged.
  Generation save(const Place& place, bool with_raw);
  // Where raw vectors lie: `n` vectors with the generations from `first` on, or with those in `generations`.
  struct RawBlock {
    RawVector vectors;
    std::size_t n, dim;
    Generation first;
    const std::uint32_t* sums;      // One per vector; null: the vectors are trusted, and summed.
    const Generation* generations;  // One per vector, rising; null: there are no gaps.

    Generation at(std::size_t row) const { return generations != nullptr ? generations[row] : first + row; }
  };
  // Vectors of generations up to `dropped` may be missing from `raw`: their versions are hidden from every snapshot.
  static std::unique_ptr<Index> load(const Place& place, const std::vector<RawBlock>* raw, Generation dropped = 0);
  // Uses the raw vectors of the generations [first, last] where `blocks` has them from now on, and returns when nobody
  // reads them elsewhere any more. The versions that `blocks` leaves out must have ended before every snapshot that is
  // still asked for; whoever ranks them nevertheless finds them damaged.
  void relocate(Generation first, Generation last, const std::vector<RawBlock>& blocks);
  // Ends versions at their own birth, so that no snapshot sees them, also those that had ended, and returns when no
  // search finds them any more. Checkpoints that are written afterwards have nothing of their vectors.
  void erase(const std::vector<Generation>& versions);
  // Held by whoever reads raw vectors.
  Readers::Reading reading() const { return readers_.read(); }

 private:
  View view(Generation snapshot, const AllowList& allowed) const;
  // Returns how many of the slots [0, count) hold versions born at or before `generation`.
  Slot born_until(Generation generation, Slot count) const;
  // The generation of the first slot, if those of the slots [0, count) have no gaps; 0 if they do.
  Generation gapless_from(Slot count) const;
  // Claims a range of published slots that are not linked yet; the range is empty if there are none.
  std::pair<Slot, Slot> claim(std::size_t count_max);
  std::optional<std::pair<Slot, Slot>> take_returned();
  std::size_t link_seeds(std::size_t count_max);
  void link_range(Slot first, Slot last, std::size_t in_flight);
  std::shared_lock<std::shared_mutex> hold_linking() const;
  std::unique_lock<std::shared_mutex> stop_linking() const;
  void finish(Slot first, Slot last);
  // Whether a version that ended at `died`, 0 for one that lives, is hidden from all snapshots from `horizon` on.
  bool is_over(Slot slot, Generation died, Generation horizon) const;
  void copy_slots(const Index& from, Slot first, Slot last, Generation horizon);
  float* own_raw(std::size_t n);
  // Copies the list of a node without the links that lead outside of the slots [0, count).
  void copy_list(Slot node, std::size_t count, Link* out) const;
  // Checks the mapped slots, so that a damaged file cannot lead a walk out of bounds, and rebuilds what is not saved.
  void check_loaded(const std::string& path);
  // Sets the raw vectors of the slots [first, last) and calls `missing` for those that no block has.
  template <class Missing>
  void place_raw(Slot first, Slot last, const std::vector<RawBlock>& blocks, Missing missing);
  // Hides a version from every snapshot. If it is newer than `dropped` and was not erased, the checkpoint is damaged.
  void hide_dropped(Slot slot, Generation dropped, const std::string& path);
  // Leaves a slot without a raw vector, hidden from every snapshot. What is there instead does not match its checksum.
  void lose_raw(Slot slot);
  // Ends a version at its own birth, whenever it had ended.
  void hide(Slot slot);

  std::string loaded_from_;
  Graph graph_;
  CentreSource centre_of_;         // Written before the first slot is published.
  Slot appended_ = 0;              // Belongs to the appending thread.
  std::vector<Block> raw_blocks_;  // The copies of raw vectors.
  Block raw_mapping_;              // The raw vectors of a checkpoint that stands alone.
  float* raw_free_ = nullptr;      // The unused part of the newest block.
  std::size_t raw_free_floats_ = 0;
  std::atomic<std::size_t> raw_bytes_{0};
  std::atomic<bool> owns_raw_{false};
  std::atomic<Slot> visible_slots_{0};
  std::atomic<Generation> visible_generation_{0};
  std::atomic<std::size_t> dead_{0};

  // Linking. Workers hold `linking_` shared; a checkpoint holds it exclusively. Both pass the turnstile first, so that
  // a stream of workers cannot keep a checkpoint waiting.
  mutable std::mutex turnstile_;
  mutable std::shared_mutex linking_;
  std::mutex seeding_;
  std::atomic<Slot> claimed_{0};
  std::atomic<Slot> linked_{0};  // Slots [0, linked_) are linked: a prefix, for any number of workers.
  std::mutex finishing_;
  std::map<Slot, Slot> finished_;  // Ranges linked beyond the prefix.
  // Claimed ranges whose linking failed. They are linked again before new ranges are claimed. Room is reserved in
  // advance, because ranges are added when memory is short.
  std::vector<std::pair<Slot, Slot>> returned_;
  std::atomic<bool> has_returned_{false};

  // In the place of a raw vector that was dropped. Shared with the index that takes the place of this one.
  std::shared_ptr<const std::vector<float>> nothing_;
  mutable Readers readers_;
  mutable ScratchPool<Linker> linkers_;
  mutable ScratchPool<Searcher> searchers_;
};

}  // namespace engram
