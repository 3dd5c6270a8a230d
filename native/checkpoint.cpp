#include "checkpoint.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "index.hpp"
#include "raw_check.hpp"

namespace engram {
namespace {

constexpr std::size_t kPage = 4096;
constexpr char kMagic[8] = {'E', 'N', 'G', 'R', 'A', 'M', 'I', 'X'};
constexpr std::uint32_t kVersion = 2;

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t metric;
  std::uint64_t dim, m, degree_max, ef_construction;
  std::uint64_t linked, generation, block_bytes, centre_floats, raw_floats, file_bytes;
  float alpha, norm_max;
  std::uint64_t checksum;  // Of all fields before it.
};

// What the centre is the mean of follows the header. Files from before that was noted have zeros there.
static_assert(sizeof(Header) + sizeof(CentreSource) <= kPage);

// FNV-1a (Fowler, Noll and Vo): the header has about a hundred bytes, and this hash needs no table.
std::uint64_t checksum(const Header& header) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  for (std::size_t i = 0; i < offsetof(Header, checksum); ++i) hash = (hash ^ bytes[i]) * 0x100000001B3ULL;
  return hash;
}

std::string name_of(const Place& place) {
  if (const auto* path = std::get_if<std::string>(&place)) return *path;
  return "in descriptor " + std::to_string(std::get<int>(place));
}

class File {
 public:
  // Opens a path, or uses a descriptor, which remains the caller's.
  File(const Place& place, int flags) : name_(name_of(place)), owned_(std::holds_alternative<std::string>(place)) {
    fd_ = owned_ ? ::open(name_.c_str(), flags | O_CLOEXEC, 0644) : std::get<int>(place);
    if (fd_ < 0) fail("cannot open");
    if (!owned_ && (flags & O_TRUNC) != 0 && ::ftruncate(fd_, 0) != 0) fail("cannot empty");
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (owned_) ::close(fd_);
  }

  int fd() const { return fd_; }

  void write(const void* data, std::size_t bytes) {
    const auto* p = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t n = ::pwrite(fd_, p, std::min(bytes, kPieceBytes), static_cast<off_t>(written_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("cannot write");
      p += n;
      bytes -= static_cast<std::size_t>(n);
      written_ += static_cast<std::size_t>(n);
      drain();
    }
  }

  bool read(void* data, std::size_t bytes, std::size_t offset) const {
    return ::pread(fd_, data, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
  }

  std::size_t size() const {
    struct stat status{};
    if (::fstat(fd_, &status) != 0) fail("cannot stat");
    return static_cast<std::size_t>(status.st_size);
  }

 private:
  // Bytes that pile up in the page cache would reach the disk in one burst, and commits of the log would wait behind it
  // (see docs/decisions/0010).
  static constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

  void drain() {
#ifdef __linux__
    if (written_ - begun_ < kPieceBytes) return;
    const auto range = [&](std::size_t first, std::size_t last, unsigned flags) {
      ::sync_file_range(fd_, static_cast<off_t>(first), static_cast<off_t>(last - first), flags);
    };
    range(begun_, written_, SYNC_FILE_RANGE_WRITE);
    range(drained_, begun_, SYNC_FILE_RANGE_WAIT_BEFORE);
    drained_ = begun_;
    begun_ = written_;
#endif
  }

  [[noreturn]] void fail(const char* what) const {
    throw std::system_error(errno, std::generic_category(), std::string(what) + " the checkpoint " + name_);
  }

  std::string name_;
  bool owned_;
  int fd_ = -1;
  // Bytes that were written, bytes that the disk was told to write, and bytes that are on the disk.
  std::size_t written_ = 0;
  std::size_t begun_ = 0;
  std::size_t drained_ = 0;
};

std::size_t chunks_of(std::size_t slots) { return (slots + SlotTable::kChunkSlots - 1) >> SlotTable::kChunkBits; }

// The first block follows the header's page and the centre, if there is one.
std::size_t blocks_begin(const Header& header) { return kPage + round_up(header.centre_floats * sizeof(float), kPage); }
std::size_t raw_begin(const Header& header) {
  return blocks_begin(header) + chunks_of(header.linked) * header.block_bytes;
}
// The checksums of the raw vectors follow the raw vectors, except in files that were written before these sums existed.
std::size_t sums_begin(const Header& header) { return raw_begin(header) + header.raw_floats * sizeof(float); }

// Whether the numbers that are multiplied and allocated below are within bounds, whoever wrote the file.
bool is_possible(const Header& header) {
  constexpr std::uint64_t kDimMax = std::uint64_t{1} << 16;
  return header.metric < kMetricCount && header.dim > 0 && header.dim <= kDimMax && header.degree_max > 0 &&
         header.degree_max <= kDegreeLimit && header.m <= header.degree_max && header.ef_construction <= kDimMax &&
         header.linked <= kSlotMax && (header.centre_floats == 0 || header.centre_floats == header.dim) &&
         (header.raw_floats == 0 || header.raw_floats == header.linked * header.dim);
}

Header read_header(const File& file, const std::string& path) {
  Header header{};
  if (!file.read(&header, sizeof header, 0) || std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) {
    throw CorruptCheckpoint(path, "it does not begin as a checkpoint does");
  }
  if (header.version != kVersion) {
    throw CorruptCheckpoint(path, "format version " + std::to_string(header.version) + " is not known");
  }
  if (header.checksum != checksum(header)) throw CorruptCheckpoint(path, "the header is damaged");
  if (!is_possible(header)) throw CorruptCheckpoint(path, "the header says what cannot be");
  if (header.file_bytes != file.size()) {
    throw CorruptCheckpoint(path, "it has " + std::to_string(file.size()) + " bytes where " +
                                      std::to_string(header.file_bytes) + " were written");
  }
  return header;
}

}  // namespace

Generation Index::save(const Place& place, bool with_raw) {
  check_whole();
  const SlotTable& table = graph_.table();
  const std::size_t list_links = graph_.parameters().degree_max + 1;
  std::vector<Link> lists;
  Header header{};
  {
    // After a slot is linked, linking changes only its list, so the lists are copied here. Everything else is written
    // from where it lies.
    const auto alone = stop_linking();
    // A range whose linking failed leaves a gap before other linked ranges, and lists lead to those. So failed ranges
    // are linked first.
    while (const auto range = take_returned()) link_range(range->first, range->second, 1);
    header.generation = indexed_generation();
    // `publish` shows slots a moment before their generation. Slots that are linked in that moment stay out of the
    // file: whoever loads it would take them for damage.
    const Slot of_generation = born_until(header.generation, visible_slots_.load(std::memory_order_acquire));
    header.linked = std::min(of_generation, linked_.load(std::memory_order_acquire));
    lists.resize(header.linked * list_links);
    for (Slot s = 0; s < header.linked; ++s) copy_list(s, header.linked, &lists[s * list_links]);
  }
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.metric = static_cast<std::uint32_t>(metric());
  header.dim = dim();
  header.m = graph_.parameters().m;
  header.degree_max = graph_.parameters().degree_max;
  header.ef_construction = graph_.parameters().ef_construction;
  header.alpha = graph_.parameters().alpha;
  header.norm_max = graph_.geometry().norm_max();
  header.block_bytes = table.saved_block_bytes();
  // The first append sets the centre, and it may still be running as long as nothing is linked.
  const std::vector<float> centre = header.linked > 0 ? graph_.codec().centre() : std::vector<float>();
  header.centre_floats = centre.size();
  header.raw_floats = with_raw ? header.linked * dim() : 0;
  const std::size_t chunks = chunks_of(header.linked);
  header.file_bytes = sums_begin(header) + (with_raw ? header.linked * sizeof(std::uint32_t) : 0);
  header.checksum = checksum(header);

  File file(place, O_WRONLY | O_CREAT | O_TRUNC);
  std::vector<std::uint8_t> head(blocks_begin(header), 0);
  std::memcpy(head.data(), &header, sizeof header);
  const CentreSource source = centre.empty() ? CentreSource() : centre_of_;
  std::memcpy(head.data() + sizeof header, &source, sizeof source);
  if (!centre.empty()) std::memcpy(head.data() + kPage, centre.data(), centre.size() * sizeof(float));
  file.write(head.data(), head.size());
  std::vector<std::uint8_t> image(header.block_bytes);
  for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
    const auto first = static_cast<Slot>(chunk << SlotTable::kChunkBits);
    const auto last = static_cast<Slot>(std::min<std::size_t>(header.linked, first + SlotTable::kChunkSlots));
    table.copy_block(first, last, &lists[first * list_links], header.generation, image.data());
    file.write(image.data(), image.size());
  }
  if (with_raw) {
    std::vector<float> widened;
    std::vector<std::uint32_t> sums(header.linked);
    for (Slot s = 0; s < header.linked; ++s) {
      if (!is_sound(table, dim(), s)) throw DamagedVector(generation_of(s));
      const float* floats = floats_of(table.raw(s).load(std::memory_order_acquire), dim(), widened);
      sums[s] = sum_of(RawVector(floats), dim());
      file.write(floats, dim() * sizeof(float));
    }
    file.write(sums.data(), sums.size() * sizeof(std::uint32_t));
  }
  // Pages that were read since the first check may have been lost.
  check_whole();
  return header.generation;
}

void Index::copy_list(Slot node, std::size_t count, Link* out) const {
  // A damaged list must not make the new checkpoint a damaged one.
  const Link* list = graph_.table().links(node);
  const std::size_t length = std::min<std::size_t>(load_link(list), graph_.parameters().degree_max);
  const auto sound = [count](Link link) { return slot_of(link) < count; };
  out[0] = static_cast<Link>(std::copy_if(list + 1, list + 1 + length, out + 1, sound) - (out + 1));
}

void Index::check_whole() const {
  // The count of the whole process costs nothing to read, and it is hardly ever above zero.
  if (bus_guard::lost_pages() == 0) return;
  if (const std::uint64_t lost = lost_pages(); lost != 0) {
    throw CorruptCheckpoint(loaded_from_, std::to_string(lost) + " pages of it cannot be read any more");
  }
}

template <class Missing>
void Index::place_raw(Slot first, Slot last, const std::vector<RawBlock>& blocks, Missing missing) {
  SlotTable& table = graph_.table();
  std::vector<std::uint32_t> sums;  // Of a block that came without checksums.
  Slot slot = first;
  for (const RawBlock& block : blocks) {
    bool is_summed = block.sums != nullptr;
    for (std::size_t row = 0; slot < last && row < block.n;) {
      const Generation born = generation_of(slot);
      const Generation given = block.at(row);
      if (given < born) {
        // Without gaps, the row can be computed.
        row += block.generations == nullptr ? born - given : 1;
      } else if (given > born) {
        missing(slot++);
      } else {
        if (!is_summed) {
          sums.resize(block.n);
          sum_rows(block.vectors.data(), block.n, block.vectors.nbytes(dim()), sums.data());
          is_summed = true;
        }
        table.sum(slot).store((block.sums != nullptr ? block.sums : sums.data())[row], std::memory_order_relaxed);
        table.raw(slot++).store(block.vectors.after(row++, dim()), std::memory_order_release);
      }
    }
  }
  while (slot < last) missing(slot++);
}

void Index::hide_dropped(Slot slot, Generation dropped, const std::string& path) {
  const Generation born = generation_of(slot);
  if (born > dropped && !graph_.table().is_erased(slot)) {
    throw CorruptCheckpoint(path, "no raw vector is given for generation " + std::to_string(born));
  }
  lose_raw(slot);
}

void Index::erase(const std::vector<Generation>& versions) {
  for (const Generation version : versions) {
    const Slot after = born_until(version, visible_slots_.load(std::memory_order_acquire));
    if (after > 0 && generation_of(after - 1) == version) hide(after - 1);
  }
  readers_.wait_for_earlier();
}

void Index::lose_raw(Slot slot) {
  const RawVector nothing(nothing_->data());
  graph_.table().sum(slot).store(~sum_of(nothing, dim()), std::memory_order_relaxed);
  graph_.table().raw(slot).store(nothing, std::memory_order_release);
  hide(slot);
}

void Index::hide(Slot slot) {
  if (graph_.table().died(slot).exchange(generation_of(slot), std::memory_order_acq_rel) == 0) {
    dead_.fetch_add(1, std::memory_order_acq_rel);
  }
}

void Index::relocate(Generation first, Generation last, const std::vector<RawBlock>& blocks) {
  const Slot published = visible_slots_.load(std::memory_order_acquire);
  const Slot begin = first == 0 ? 0 : born_until(first - 1, published);
  place_raw(begin, born_until(last, published), blocks, [this](Slot slot) { lose_raw(slot); });
  readers_.wait_for_earlier();
}

std::unique_ptr<Index> Index::load(const Place& place, const std::vector<RawBlock>* raw, Generation dropped) {
  const File file(place, O_RDONLY);
  const std::string path = name_of(place);
  const Header header = read_header(file, path);
  GraphParameters parameters{header.m, header.degree_max, header.ef_construction, header.alpha};
  auto index = std::make_unique<Index>(header.dim, static_cast<Metric>(header.metric), parameters);
  Graph& graph = index->graph_;
  index->loaded_from_ = path;
  if (header.block_bytes != graph.table().saved_block_bytes()) throw CorruptCheckpoint(path, "the layout differs");
  const std::size_t chunks = chunks_of(header.linked);
  std::vector<Block> blocks;
  blocks.reserve(chunks);
  for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
    blocks.emplace_back(file.fd(), blocks_begin(header) + chunk * header.block_bytes, header.block_bytes);
  }
  graph.table().adopt(std::move(blocks));
  std::vector<float> centre(header.centre_floats);
  if (!file.read(centre.data(), centre.size() * sizeof(float), kPage) ||
      !file.read(&index->centre_of_, sizeof(CentreSource), sizeof header)) {
    throw CorruptCheckpoint(path, "it is cut off");
  }
  graph.codec().centre_on(std::move(centre));
  graph.geometry().saw_norm(header.norm_max);
  const auto linked = static_cast<Slot>(header.linked);
  index->appended_ = linked;
  index->visible_slots_ = linked;
  index->visible_generation_ = header.generation;
  index->claimed_ = linked;
  index->linked_ = linked;
  index->check_loaded(path);
  if (raw != nullptr) {
    const auto fits = [&](const RawBlock& block) { return block.dim == header.dim; };
    if (!std::all_of(raw->begin(), raw->end(), fits)) {
      throw CorruptCheckpoint(path, "the raw vectors have another dimension");
    }
    index->place_raw(0, linked, *raw, [&](Slot slot) { index->hide_dropped(slot, dropped, path); });
    return index;
  }
  if (header.raw_floats != header.linked * header.dim) throw CorruptCheckpoint(path, "it holds no raw vectors");
  if (linked == 0) return index;
  Block block(file.fd(), raw_begin(header), header.raw_floats * sizeof(float));
  const RawVector vectors(reinterpret_cast<const float*>(block.data()));
  std::vector<std::uint32_t> sums(linked);
  if (header.file_bytes == sums_begin(header)) {
    sum_rows(block.data(), linked, header.dim * sizeof(float), sums.data());
  } else if (!file.read(sums.data(), linked * sizeof(std::uint32_t), sums_begin(header))) {
    throw CorruptCheckpoint(path, "it is cut off");
  }
  for (Slot s = 0; s < linked; ++s) {
    graph.table().raw(s).store(vectors.after(s, header.dim), std::memory_order_release);
    graph.table().sum(s).store(sums[s], std::memory_order_relaxed);
  }
  index->owns_raw_ = true;
  index->raw_mapping_ = std::move(block);
  return index;
}

void Index::check_loaded(const std::string& path) {
  SlotTable& table = graph_.table();
  Generation before = 0;
  for (Slot s = 0; s < appended_; ++s) {
    const Link* list = table.links(s);
    const std::size_t length = load_link(list);
    const bool fits = length <= graph_.parameters().degree_max &&
                      std::all_of(list + 1, list + 1 + length, [&](Link l) { return slot_of(l) < appended_; });
    const Generation born = table.born(s).load(std::memory_order_relaxed);
    const Generation died = table.died(s).load(std::memory_order_relaxed);
    if (!fits || born <= before || born > visible_generation()) {
      throw CorruptCheckpoint(path, "slot " + std::to_string(s) + " is damaged");
    }
    before = born;
    if (died != 0) dead_.fetch_add(1, std::memory_order_relaxed);
    // Searches answer from the generations that are checked here. Writing them back moves them to pages of this
    // process, out of reach of later changes to the file.
    table.born(s).store(born, std::memory_order_relaxed);
    table.died(s).store(died, std::memory_order_relaxed);
    const EntryTable::Role role = EntryTable::role(s);
    if (role == EntryTable::Role::kNone) continue;
    const std::uint8_t* row = graph_.entry_row(s);
    graph_.entries().add(s, role, row, graph_.entries().nearest_to_stored(row).pivot);
  }
}

}  // namespace engram
