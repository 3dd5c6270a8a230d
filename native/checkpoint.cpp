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
  std::uint64_t checksum;  // Of everything before it.
};

// FNV-1a: the header is a hundred bytes, and this needs no table.
std::uint64_t checksum(const Header& header) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  for (std::size_t i = 0; i < offsetof(Header, checksum); ++i) hash = (hash ^ bytes[i]) * 0x100000001B3ULL;
  return hash;
}

class File {
 public:
  File(const std::string& path, int flags) : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail("cannot open");
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(fd_); }

  int fd() const { return fd_; }

  void write(const void* data, std::size_t bytes) {
    const auto* p = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t n = ::write(fd_, p, std::min(bytes, kPieceBytes));
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
  // What piles up in the page cache would reach the disk in one burst, behind which commits of the log would wait.
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
    throw std::system_error(errno, std::generic_category(), std::string(what) + " " + path_);
  }
  std::string path_;
  int fd_;
  // Bytes that were written, of which the disk was told, and which it has.
  std::size_t written_ = 0;
  std::size_t begun_ = 0;
  std::size_t drained_ = 0;
};

std::size_t chunks_of(std::size_t slots) { return (slots + SlotTable::kChunkSlots - 1) >> SlotTable::kChunkBits; }

// The first block lies behind the header's page and the centre, if there is one.
std::size_t blocks_begin(const Header& header) { return kPage + round_up(header.centre_floats * sizeof(float), kPage); }

Header read_header(const File& file, const std::string& path) {
  Header header{};
  if (!file.read(&header, sizeof header, 0) || std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) {
    throw CorruptCheckpoint(path, "it does not begin as a checkpoint does");
  }
  if (header.version != kVersion) {
    throw CorruptCheckpoint(path, "format version " + std::to_string(header.version) + " is not known");
  }
  if (header.checksum != checksum(header)) throw CorruptCheckpoint(path, "the header is damaged");
  if (header.file_bytes != file.size()) {
    throw CorruptCheckpoint(path, "it has " + std::to_string(file.size()) + " bytes where " +
                                      std::to_string(header.file_bytes) + " were written");
  }
  return header;
}

}  // namespace

Generation Index::save(const std::string& path, bool with_raw) {
  const SlotTable& table = graph_.table();
  const std::size_t list_links = graph_.parameters().degree_max + 1;
  std::vector<Link> lists;
  Header header{};
  {
    // Only the lists change after a slot is linked; everything else is written from where it lies.
    const auto alone = stop_linking();
    // A range whose linking failed leaves a gap before others that are linked, and to which lists lead.
    while (const auto range = take_returned()) link_range(range->first, range->second, 1);
    header.generation = indexed_generation();
    header.linked = linked_.load(std::memory_order_acquire);
    lists.resize(header.linked * list_links);
    for (Slot s = 0; s < header.linked; ++s) std::copy_n(table.links(s), list_links, &lists[s * list_links]);
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
  const std::vector<float>& centre = graph_.codec().centre();
  header.centre_floats = centre.size();
  header.raw_floats = with_raw ? header.linked * dim() : 0;
  const std::size_t chunks = chunks_of(header.linked);
  header.file_bytes = blocks_begin(header) + chunks * header.block_bytes + header.raw_floats * sizeof(float);
  header.checksum = checksum(header);

  File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  std::vector<std::uint8_t> head(blocks_begin(header), 0);
  std::memcpy(head.data(), &header, sizeof header);
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
    for (Slot s = 0; s < header.linked; ++s) {
      const RawVector raw = table.raw(s).load(std::memory_order_acquire);
      file.write(floats_of(raw, dim(), widened), dim() * sizeof(float));
    }
  }
  return header.generation;
}

std::unique_ptr<Index> Index::load(const std::string& path, const std::vector<RawBlock>* raw) {
  const File file(path, O_RDONLY);
  const Header header = read_header(file, path);
  GraphParameters parameters{header.m, header.degree_max, header.ef_construction, header.alpha};
  auto index = std::make_unique<Index>(header.dim, static_cast<Metric>(header.metric), parameters);
  Graph& graph = index->graph_;
  const bool centred = header.centre_floats == header.dim || header.centre_floats == 0;
  if (!centred || header.block_bytes != graph.table().saved_block_bytes())
    throw CorruptCheckpoint(path, "the layout differs");
  const std::size_t chunks = chunks_of(header.linked);
  for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
    graph.table().adopt(Block(file.fd(), blocks_begin(header) + chunk * header.block_bytes, header.block_bytes));
  }
  std::vector<float> centre(header.centre_floats);
  if (!file.read(centre.data(), centre.size() * sizeof(float), kPage)) throw CorruptCheckpoint(path, "it is cut off");
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
    index->place_raw(path, *raw);
    return index;
  }
  if (header.raw_floats != header.linked * header.dim) throw CorruptCheckpoint(path, "it holds no raw vectors");
  const std::size_t raw_bytes = header.raw_floats * sizeof(float);
  if (raw_bytes > 0) {
    Block block(file.fd(), blocks_begin(header) + chunks * header.block_bytes, raw_bytes);
    const RawVector vectors(reinterpret_cast<const float*>(block.data()));
    for (Slot s = 0; s < linked; ++s)
      graph.table().raw(s).store(vectors.after(s, header.dim), std::memory_order_release);
    index->owns_raw_ = true;
    index->raw_mapping_ = std::move(block);
  }
  return index;
}

void Index::check_loaded(const std::string& path) {
  SlotTable& table = graph_.table();
  Generation before = 0;
  for (Slot s = 0; s < appended_; ++s) {
    const Link* list = table.links(s);
    const bool fits = list[0] <= graph_.parameters().degree_max &&
                      std::all_of(list + 1, list + 1 + list[0], [&](Link l) { return slot_of(l) < appended_; });
    const Generation born = table.born(s).load(std::memory_order_relaxed);
    if (!fits || born <= before || born > visible_generation()) {
      throw CorruptCheckpoint(path, "slot " + std::to_string(s) + " is damaged");
    }
    before = born;
    if (table.died(s).load(std::memory_order_relaxed) != 0) dead_.fetch_add(1, std::memory_order_relaxed);
    const EntryTable::Role role = EntryTable::role(s);
    if (role == EntryTable::Role::kNone) continue;
    graph_.entries().add(s, role, table.bits(s), graph_.entries().nearest(table.bits(s)).pivot);
  }
}

void Index::place_raw(const std::string& path, const std::vector<RawBlock>& blocks) {
  SlotTable& table = graph_.table();
  auto block = blocks.begin();
  for (Slot s = 0; s < appended_; ++s) {
    const Generation born = table.born(s).load(std::memory_order_relaxed);
    while (block != blocks.end() && block->first + block->n <= born) ++block;
    if (block == blocks.end() || born < block->first) {
      throw CorruptCheckpoint(path, "no raw vector is given for generation " + std::to_string(born));
    }
    table.raw(s).store(block->vectors.after(born - block->first, dim()), std::memory_order_release);
  }
}

}  // namespace engram
