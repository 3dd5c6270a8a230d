// Python bindings of the native core: they check arguments and release the interpreter lock for all work.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "background_thread.hpp"
#include "bindings_arrays.hpp"
#include "bindings_messages.hpp"
#include "bindings_metric.hpp"
#include "bindings_owners.hpp"
#include "bindings_rows.hpp"
#include "bindings_storage.hpp"
#include "checkpoint.hpp"
#include "index.hpp"
#include "kernels/kernels.hpp"
#include "pages.hpp"
#include "unlocked.hpp"

namespace engram {
namespace {

using namespace nb::literals;

using Raw = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Sums = nb::ndarray<const std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
// Python has all generations as int64, because NumPy makes floats of sums of int64 and uint64.
using Generations = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// The newest visible generation; none for everything that is published.
using Snapshot = std::optional<Generation>;

// An index, and the Python owners of the raw vectors that the index uses where they lie.
struct PyIndex {
  std::unique_ptr<Index> index;
  RawOwners owners;

  void check_dim(const Floats& vectors) const {
    if (vectors.shape(1) != index->dim()) throw nb::value_error("the vectors have another dimension than the index");
  }
};

// Numbers to search for are NaN or infinite.
struct NotFinite : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

void check_finite(const float* numbers, std::size_t count) {
  // The squared norm takes a few nanoseconds. It may also be too large for its type, so it cannot refuse on its own.
  if (std::isfinite(kernels().squared_norm(numbers, count))) return;
  const bool finite = std::all_of(numbers, numbers + count, [](float number) { return std::isfinite(number); });
  if (!finite) throw NotFinite("the numbers to search for hold NaN or Inf");
}

// A walk, and the words of its allow-list.
struct PyWalk {
  const Index* index;
  std::optional<Words> words;
  std::unique_ptr<Walk> walk;
};

RawVector raw_from(const Raw& array) {
  if (array.dtype() == nb::dtype<float>()) return RawVector(static_cast<const float*>(array.data()));
  const nb::dlpack::dtype half{static_cast<std::uint8_t>(nb::dlpack::dtype_code::Float), 16, 1};
  if (array.dtype() != half) throw nb::value_error("raw vectors must be float32 or float16");
  return RawVector(static_cast<const Half*>(array.data()));
}

const std::uint32_t* sums_from(const std::optional<Sums>& sums, const Raw& vectors) {
  if (!sums.has_value()) return nullptr;
  if (sums->shape(0) != vectors.shape(0)) throw nb::value_error("vectors and sums differ in length");
  return sums->data();
}

// The generation of the last of `n` vectors, from `first` on or as in `each`; 0 if there is none.
Generation last_of(Generation first, std::size_t n, const Generation* each) {
  if (n == 0) return 0;
  return each != nullptr ? each[n - 1] : first + n - 1;
}

// The rising generations of some vectors; null if there are no gaps.
const Generation* generations_from(const std::optional<Generations>& generations, const Raw& vectors) {
  if (!generations.has_value()) return nullptr;
  if (generations->shape(0) != vectors.shape(0)) throw nb::value_error("vectors and generations differ in length");
  // Every generation is below 2^63, so both types have the same bits.
  return reinterpret_cast<const Generation*>(generations->data());
}

// Returns the damaged generations, or None if there are none, as is nearly always the case.
nb::object told(const std::vector<Generation>& damaged) {
  if (damaged.empty()) return nb::none();
  auto generations = new_vector<std::int64_t>(damaged.size());
  std::copy(damaged.begin(), damaged.end(), generations.data());
  return nb::cast(generations);
}

AllowList allow_list(const std::optional<Words>& words, Generation begin) {
  if (begin % 64 != 0) throw nb::value_error("a bitmap begins with a whole word");
  return words.has_value() ? AllowList(words->data(), words->shape(0), begin) : AllowList();
}

void append(PyIndex& self, const Floats& vectors, Generation first, const std::optional<Raw>& raw,
            const std::optional<Sums>& sums, const std::optional<Generations>& generations) {
  self.check_dim(vectors);
  if (generations.has_value() && generations->shape(0) != vectors.shape(0)) {
    throw nb::value_error("vectors and generations differ in length");
  }
  const auto* each = generations.has_value() ? reinterpret_cast<const Generation*>(generations->data()) : nullptr;
  std::optional<RawVector> stable;
  const std::uint32_t* given = nullptr;
  if (raw.has_value()) {
    if (raw->shape(0) != vectors.shape(0) || raw->shape(1) != vectors.shape(1)) {
      throw nb::value_error("vectors and raw differ in shape");
    }
    stable = raw_from(*raw);
    given = sums_from(sums, *raw);
    // Checkpoints and walks outlive this call, so the array must, too.
    self.owners.keep(raw->data(), nb::cast(*raw), last_of(first, raw->shape(0), each));
  }
  const Unlocked unlocked;
  self.index->append(vectors.data(), vectors.shape(0), first, stable, given, each);
}

std::size_t remove_versions(PyIndex& self, const Generations& versions, const Generations& at) {
  if (versions.shape(0) != at.shape(0)) throw nb::value_error("versions and at differ in length");
  const Unlocked unlocked;
  std::size_t removed = 0;
  for (std::size_t i = 0; i < versions.shape(0); ++i) {
    removed += self.index->remove(static_cast<Generation>(versions(i)), static_cast<Generation>(at(i))) ? 1 : 0;
  }
  return removed;
}

nb::tuple search(const PyIndex& self, const Floats& queries, std::size_t k, std::size_t ef, Snapshot snapshot,
                 const std::optional<Words>& allowed, std::size_t threads, Generation allowed_begin) {
  self.check_dim(queries);
  const std::size_t n = queries.shape(0);
  auto generations = new_matrix<std::int64_t>(n, k);
  auto scores = new_matrix<float>(n, k);
  const AllowList list = allow_list(allowed, allowed_begin);
  std::vector<Generation> damaged;
  {
    const Unlocked unlocked;
    check_finite(queries.data(), queries.size());
    // Every generation is below 2^63, so both types have the same bits.
    auto* found = reinterpret_cast<Generation*>(generations.data());
    damaged =
        self.index->search(queries.data(), n, k, ef, snapshot.value_or(kNever), list, threads, found, scores.data());
  }
  return nb::make_tuple(generations, scores, told(damaged));
}

PyWalk walk(const PyIndex& self, const Vector& query, Snapshot snapshot, std::optional<Words> allowed,
            Generation allowed_begin) {
  if (query.shape(0) != self.index->dim()) throw nb::value_error("the query has another dimension than the index");
  check_finite(query.data(), query.size());
  const AllowList list = allow_list(allowed, allowed_begin);
  return {self.index.get(), std::move(allowed), self.index->walk(query.data(), snapshot.value_or(kNever), list)};
}

nb::tuple next_of_walk(PyWalk& self, std::size_t count, std::size_t ef) {
  const std::vector<Found>* found = nullptr;
  {
    const Unlocked unlocked;
    const Readers::Reading held = self.index->reading();
    found = &self.walk->next(count, ef);
    self.index->check_whole();
  }
  auto generations = new_vector<std::int64_t>(found->size());
  auto scores = new_vector<float>(found->size());
  for (std::size_t i = 0; i < found->size(); ++i) {
    generations.data()[i] = static_cast<std::int64_t>(self.index->generation_of((*found)[i].slot));
    scores.data()[i] = (*found)[i].score;
  }
  return nb::make_tuple(generations, scores, told(self.index->generations_of(self.walk->damaged())));
}

void add_cue(CueTable& self, std::int64_t key, const Vector& vector, float threshold) {
  if (vector.shape(0) != self.dim()) throw nb::value_error("the cue has another dimension than the table");
  const Unlocked unlocked;
  self.add(key, vector.data(), threshold);
}

nb::tuple match(const PyIndex& self, CueTable& cues, Generation first, Generation last) {
  if (cues.dim() != self.index->dim() || cues.metric() != self.index->metric()) {
    throw nb::value_error("the cues are of another dimension or metric than the index");
  }
  std::pair<std::vector<Match>, std::vector<Generation>> found;
  {
    const Unlocked unlocked;
    found = self.index->match(cues, first, last);
  }
  const auto& [matches, damaged] = found;
  auto keys = new_vector<std::int64_t>(matches.size());
  auto generations = new_vector<std::int64_t>(matches.size());
  auto scores = new_vector<float>(matches.size());
  for (std::size_t i = 0; i < matches.size(); ++i) {
    keys.data()[i] = matches[i].key;
    generations.data()[i] = static_cast<std::int64_t>(matches[i].generation);
    scores.data()[i] = matches[i].score;
  }
  return nb::make_tuple(keys, generations, scores, told(damaged));
}

nb::tuple vectors_of(const PyIndex& self, const Generations& versions) {
  const std::size_t n = versions.shape(0);
  auto vectors = new_matrix<float>(n, self.index->dim());
  auto live = new_vector<std::uint8_t>(n);
  std::vector<Generation> damaged;
  {
    const Unlocked unlocked;
    // Every generation is below 2^63, so both types have the same bits.
    const auto* wanted = reinterpret_cast<const Generation*>(versions.data());
    damaged = self.index->copy_raw(wanted, n, vectors.data(), live.data());
  }
  return nb::make_tuple(vectors, live, told(damaged));
}

void read_ahead(const std::vector<Bytes>& pieces) {
  const Unlocked unlocked;
  for (const Bytes& piece : pieces) ask_for(piece.data(), piece.size());
  for (const Bytes& piece : pieces) wait_for(piece.data(), piece.size());
}

// Returns an empty index with the parameters of this one, to take over its live versions. It keeps the same raw vectors
// alive.
PyIndex successor(const PyIndex& self) {
  const Index& index = *self.index;
  return {std::make_unique<Index>(index.dim(), index.metric(), index.parameters()), self.owners};
}

Slot take_over(PyIndex& self, const PyIndex& from, Slot first, Generation horizon, bool all) {
  // `from` may have been given further arrays since the last call.
  RawOwners owners = from.owners;
  std::swap(self.owners, owners);
  const Unlocked unlocked;
  return self.index->take_over(*from.index, first, horizon, all);
}

// Runs `work` on this thread or in the background, and returns its result.
template <class Work>
auto run(bool background, Work work) {
  const Unlocked unlocked;
  if (!background) return work();
  thread_local BackgroundThread thread;
  decltype(work()) result{};
  thread.run([&] { result = work(); });
  return result;
}

std::size_t link_published(PyIndex& self, std::size_t count_max, bool background) {
  return run(background, [&] { return self.index->link(count_max); });
}

Generation save(PyIndex& self, const Place& place, bool with_raw, bool background) {
  return run(background, [&] { return self.index->save(place, with_raw); });
}

PyIndex load(const Place& place) {
  const Unlocked unlocked;
  return PyIndex{Index::load(place, nullptr), {}};
}

using GivenBlock = std::tuple<Generation, Raw, std::optional<Sums>, std::optional<Generations>>;

// Returns where the raw vectors of `blocks` lie, and keeps them alive.
std::vector<Index::RawBlock> raw_blocks(const std::vector<GivenBlock>& blocks, RawOwners& owners) {
  std::vector<Index::RawBlock> raw;
  for (const auto& [first, vectors, sums, generations] : blocks) {
    raw.push_back({raw_from(vectors), vectors.shape(0), vectors.shape(1), first, sums_from(sums, vectors),
                   generations_from(generations, vectors)});
    owners.keep(vectors.data(), nb::cast(vectors), last_of(first, vectors.shape(0), raw.back().generations));
  }
  return raw;
}

PyIndex load_with_raw(const Place& place, const std::vector<GivenBlock>& blocks, Generation dropped) {
  PyIndex loaded;
  const std::vector<Index::RawBlock> raw = raw_blocks(blocks, loaded.owners);
  const Unlocked unlocked;
  loaded.index = Index::load(place, &raw, dropped);
  return loaded;
}

void relocate(PyIndex& self, Generation first, Generation last, const std::vector<GivenBlock>& blocks,
              const std::vector<Bytes>& retired) {
  const std::vector<Index::RawBlock> raw = raw_blocks(blocks, self.owners);
  for (const Index::RawBlock& block : raw) {
    if (block.dim != self.index->dim()) throw nb::value_error("the vectors have another dimension than the index");
  }
  // What is appended and not published yet does not move, so what keeps it alive must stay.
  const Generation moved = std::min(last, self.index->visible_generation());
  {
    const Unlocked unlocked;
    self.index->relocate(first, last, raw);
  }
  for (const Bytes& bytes : retired) self.owners.let_go(bytes.data(), bytes.size(), moved);
}

void erase_versions(PyIndex& self, const Generations& versions) {
  const std::vector<Generation> erased(versions.data(), versions.data() + versions.size());
  const Unlocked unlocked;
  self.index->erase(erased);
}

nb::dict statistics(const PyIndex& self) {
  Statistics s;
  {
    const Unlocked unlocked;
    s = self.index->statistics();
  }
  nb::dict d;
  d["slots"] = s.slots;
  d["linked"] = s.linked;
  d["dead"] = s.dead;
  d["entries"] = s.entries;
  d["links"] = s.links;
  d["unreachable"] = s.unreachable;
  d["invalid_links"] = s.invalid_links;
  d["degrees"] = s.degrees;
  return d;
}

}  // namespace
}  // namespace engram

NB_MODULE(_core, m) {
  using namespace engram;
  // Objects that are left when the interpreter ends, such as the frames of threads that it stops, do not concern the
  // user of a program. Tests enable the report, because without such threads whatever is left is a bug of Engram.
  nb::set_leak_warnings(std::getenv("ENGRAM_LEAK_WARNINGS") != nullptr);
  nb::exception<CorruptCheckpoint>(m, "CorruptCheckpoint", PyExc_ValueError);
  nb::exception<DamagedVector>(m, "DamagedVector", PyExc_ValueError);
  nb::exception<NotFinite>(m, "NotFinite", PyExc_ValueError);

  m.attr("INTERFACE") = ENGRAM_INTERFACE;
  m.attr("EXACT_COUNT_MAX") = kExactMax;
  m.def("simd", [] { return kernels().name; });
  m.def("read_ahead", &read_ahead, "pieces"_a);
  bind_metrics(m);
  bind_rows(m);
  bind_storage(m);
  bind_messages(m);

  nb::class_<PyWalk>(m, "Walk").def("next", &next_of_walk, "count"_a, "ef"_a);

  nb::class_<CueTable>(m, "CueTable")
      .def(
          "__init__",
          [](CueTable* self, std::size_t dim, const std::string& metric) {
            new (self) CueTable(dim, metric_named(metric));
          },
          "dim"_a, "metric"_a)
      .def("add", &add_cue, "key"_a, "vector"_a, "threshold"_a)
      .def("remove", &CueTable::remove, "key"_a, nb::call_guard<Unlocked>())
      .def("__len__", &CueTable::size);

  nb::class_<PyIndex>(m, "Index")
      .def(
          "__init__",
          [](PyIndex* self, std::size_t dim, const std::string& metric, std::size_t m_, std::size_t degree_max,
             std::size_t ef_construction) {
            const GraphParameters parameters{m_, degree_max, ef_construction};
            new (self) PyIndex{std::make_unique<Index>(dim, metric_named(metric), parameters), {}};
          },
          "dim"_a, "metric"_a, "m"_a, "degree_max"_a, "ef_construction"_a)
      .def("append", &append, "vectors"_a, "first_generation"_a, "raw"_a.none(), "sums"_a.none(),
           "generations"_a.none())
      .def("relocate", &relocate, "first_generation"_a, "last_generation"_a, "blocks"_a, "retired"_a)
      .def(
          "centre_on",
          [](PyIndex& self, const Floats& vectors, Generation last) {
            self.check_dim(vectors);
            self.index->centre_on(vectors.data(), vectors.shape(0), last);
          },
          "vectors"_a, "last_generation"_a)
      .def(
          "publish", [](PyIndex& self, Generation generation) { self.index->publish(generation); }, "generation"_a)
      .def("discard", [](PyIndex& self) { self.index->discard(); })
      .def("remove", &remove_versions, "versions"_a, "at"_a)
      .def("erase", &erase_versions, "versions"_a)
      .def("link", &link_published, "count_max"_a, "background"_a)
      .def("search", &search, "queries"_a, "k"_a, "ef"_a, "snapshot"_a.none(), "allowed"_a.none(), "threads"_a,
           "allowed_begin"_a = Generation{0})
      .def("walk", &walk, "query"_a, "snapshot"_a.none(), "allowed"_a.none(), "allowed_begin"_a = Generation{0},
           nb::keep_alive<0, 1>())
      .def("match", &match, "cues"_a, "first_generation"_a, "last_generation"_a)
      .def(
          "droppable",
          [](const PyIndex& self, Generation horizon) {
            const Unlocked unlocked;
            return self.index->droppable(horizon);
          },
          "horizon"_a)
      .def("vectors", &vectors_of, "versions"_a)
      .def("successor", &successor)
      .def("take_over", &take_over, "from_"_a, "first_slot"_a, "horizon"_a, "all"_a)
      .def("save", &save, "place"_a, "with_raw"_a, "background"_a)
      .def_static("load", &load, "place"_a)
      .def_static("load_with_raw", &load_with_raw, "place"_a, "blocks"_a, "dropped"_a)
      .def("statistics", &statistics)
      .def_prop_ro("dim", [](const PyIndex& self) { return self.index->dim(); })
      .def_prop_ro("metric", [](const PyIndex& self) { return metric_name(self.index->metric()); })
      .def_prop_ro("m", [](const PyIndex& self) { return self.index->parameters().m; })
      .def_prop_ro("ef_construction", [](const PyIndex& self) { return self.index->parameters().ef_construction; })
      .def_prop_ro("visible_generation", [](const PyIndex& self) { return self.index->visible_generation(); })
      .def_prop_ro("indexed_generation", [](const PyIndex& self) { return self.index->indexed_generation(); })
      .def_prop_ro("size", [](const PyIndex& self) { return self.index->size(); })
      .def_prop_ro("live", [](const PyIndex& self) { return self.index->live(); })
      .def_prop_ro("remembers_erased", [](const PyIndex& self) { return self.index->remembers_erased(); })
      .def_prop_ro("lost_pages", [](const PyIndex& self) { return self.index->lost_pages(); })
      .def_prop_ro("nbytes", [](const PyIndex& self) { return self.index->nbytes(); });
}
