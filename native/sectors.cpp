#include "sectors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "cpu.hpp"
#include "crc32c.hpp"

namespace engram {
namespace {

static_assert(std::endian::native == std::endian::little, "sums are stored little-endian");

// Offsets in a record's header, and how many checksums the header and a table sector hold (docs/formats.md describes
// both).
constexpr std::uint8_t kMagic[4] = {'E', 'G', 'R', '2'};
constexpr std::uint64_t kHeaderSumAt = 4;
constexpr std::uint64_t kSumCountAt = 8;
constexpr std::uint64_t kTableSectorsAt = 12;
constexpr std::uint64_t kHeaderSumsAt = 320;
constexpr std::uint64_t kHeaderSums = 48;
constexpr std::uint64_t kTableSums = 127;
constexpr std::size_t kBatch = 24;

std::uint32_t load_u32(const std::uint8_t* p) {
  std::uint32_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

bool all_zero(const std::uint8_t* sector, std::size_t bytes) {
  std::uint64_t any = 0;
  std::size_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, sector + i, sizeof word);
    any |= word;
  }
  for (; i < bytes; ++i) any |= sector[i];
  return any == 0;
}

std::int64_t as_offset(std::uint64_t begin, std::uint64_t bytes) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(bytes > kMost - begin ? kMost : begin + bytes);
}

// Yields the bytes of the parts sector by sector. A sector that spans parts is put together in the caller's buffer.
class SectorReader {
 public:
  explicit SectorReader(std::span<const Octets> parts) : parts_(parts) {}

  const std::uint8_t* next(std::uint8_t* buffer) {
    skip_ended();
    const Octets part = parts_[part_];
    if (part.size() - within_ >= kSectorBytes) {
      const std::uint8_t* sector = part.data() + within_;
      within_ += kSectorBytes;
      return sector;
    }
    for (std::size_t filled = 0; filled < kSectorBytes; skip_ended()) {
      const std::size_t n = std::min(kSectorBytes - filled, parts_[part_].size() - within_);
      std::memcpy(buffer + filled, parts_[part_].data() + within_, n);
      filled += n;
      within_ += n;
    }
    return buffer;
  }

 private:
  void skip_ended() {
    while (part_ < parts_.size() && within_ == parts_[part_].size()) {
      ++part_;
      within_ = 0;
    }
  }

  std::span<const Octets> parts_;
  std::size_t part_ = 0;
  std::size_t within_ = 0;
};

// What a seed adds to the checksum of a sector. Each byte of the seed adds its part on its own, because a checksum is
// linear: the checksum with a seed is the plain one, exclusive or what the seed becomes after a sector of zeros.
class SeedTable {
 public:
  SeedTable() {
    const std::array<std::uint8_t, kSectorBytes> zeros{};
    const std::uint32_t plain = crc32c(zeros.data(), zeros.size());
    for (std::uint32_t byte = 0; byte < 4; ++byte) {
      for (std::uint32_t value = 0; value < 256; ++value) {
        added_[byte][value] = crc32c(zeros.data(), zeros.size(), value << (8 * byte)) ^ plain;
      }
    }
  }

  std::uint32_t operator()(std::uint32_t seed) const {
    return added_[0][seed & 0xFFU] ^ added_[1][(seed >> 8) & 0xFFU] ^ added_[2][(seed >> 16) & 0xFFU] ^
           added_[3][seed >> 24];
  }

 private:
  std::array<std::array<std::uint32_t, 256>, 4> added_{};
};

const SeedTable& seed_table() {
  static const SeedTable table;
  return table;
}

}  // namespace

void sector_sums(std::span<const Octets> parts, std::uint32_t* sums) {
  std::size_t total = 0;
  for (const Octets part : parts) total += part.size();
  SectorReader reader(parts);
  std::array<std::array<std::uint8_t, kSectorBytes>, kBatch> buffers;
  std::array<const std::uint8_t*, kBatch> sectors;
  for (std::size_t done = 0; done < total / kSectorBytes; done += kBatch) {
    const std::size_t n = std::min(kBatch, total / kSectorBytes - done);
    for (std::size_t i = 0; i < n; ++i) {
      sectors[i] = reader.next(buffers[i].data());
      sums[done + i] = 0;
    }
    crc32c_blocks(sectors.data(), n, kSectorBytes, sums + done);
  }
}

void salt_sums(std::span<std::uint32_t> sums, std::uint32_t salt, std::uint64_t first_sector) {
  const SeedTable& added = seed_table();
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] ^= added(static_cast<std::uint32_t>(salt + first_sector + i));
}

void join_sums(std::span<const std::uint32_t> sums, std::size_t sectors_per_row, std::uint32_t* row_sums) {
  const SeedTable& added = seed_table();
  for (std::size_t at = 0; at < sums.size(); at += sectors_per_row) {
    std::uint32_t sum = sums[at];
    for (std::size_t i = 1; i < sectors_per_row; ++i) sum = sums[at + i] ^ added(sum);
    *row_sums++ = sum;
  }
}

RecordSectors::RecordSectors(Octets file, std::uint64_t position, std::uint32_t salt)
    : file_(file),
      position_(position),
      salt_(salt),
      in_file_(position < file.size() && file.size() - position >= kSectorBytes) {
  if (!in_file_) return;
  sum_count_ = load_u32(&file_[position_ + kSumCountAt]);
  table_sectors_ = load_u32(&file_[position_ + kTableSectorsAt]);
}

std::uint64_t RecordSectors::payload_begin() const { return position_ + kSectorBytes * (1 + table_sectors_); }

std::uint64_t RecordSectors::offset_of(std::uint64_t sector) const { return payload_begin() + kSectorBytes * sector; }

std::uint64_t RecordSectors::table_sector_of(std::uint64_t sector) const {
  return position_ + kSectorBytes * (1 + (sector - kHeaderSums) / kTableSums);
}

const std::uint8_t* RecordSectors::sum_at(std::uint64_t sector) const {
  if (sector < kHeaderSums) return &file_[position_ + kHeaderSumsAt + 4 * sector];
  return &file_[table_sector_of(sector) + 4 * ((sector - kHeaderSums) % kTableSums)];
}

std::uint32_t RecordSectors::seed_of(std::uint64_t offset) const {
  return static_cast<std::uint32_t>(salt_ + offset / kSectorBytes);
}

std::int64_t RecordSectors::check_reach(std::uint64_t sector) const {
  if (sector >= kHeaderSums) {
    const std::uint64_t table = table_sector_of(sector);
    if (table >= payload_begin() || !fits(table)) return as_offset(table, 0);
  }
  const std::uint64_t offset = offset_of(sector);
  return fits(offset) ? kAllRight : as_offset(offset, 0);
}

// Sectors of the payload whose checksums are computed side by side, wherever the sectors lie. The first wrong sector is
// the first in the order of adding.
class RecordSectors::Batch {
 public:
  explicit Batch(const RecordSectors& record) : record_(record) {}

  std::int64_t add(std::uint64_t sector) {
    if (count_ == kBatch) {
      if (const std::int64_t wrong = finish(); wrong != kAllRight) return wrong;
    }
    if (const std::int64_t out_of_reach = record_.check_reach(sector); out_of_reach != kAllRight) {
      const std::int64_t wrong = finish();
      return wrong != kAllRight ? wrong : out_of_reach;
    }
    const std::uint64_t offset = record_.offset_of(sector);
    sectors_[count_] = &record_.file_[offset];
    right_[count_] = record_.sum_at(sector);
    sums_[count_] = record_.seed_of(offset);
    prefetch(sectors_[count_], kSectorBytes);
    prefetch(right_[count_], 1);
    ++count_;
    return kAllRight;
  }
  std::int64_t finish() {
    const std::size_t n = std::exchange(count_, 0);
    crc32c_blocks(sectors_.data(), n, kSectorBytes, sums_.data());
    for (std::size_t i = 0; i < n; ++i) {
      if (sums_[i] != load_u32(right_[i])) return sectors_[i] - record_.file_.data();
    }
    return kAllRight;
  }

 private:
  const RecordSectors& record_;
  std::size_t count_ = 0;
  std::array<const std::uint8_t*, kBatch> sectors_;
  std::array<const std::uint8_t*, kBatch> right_;
  std::array<std::uint32_t, kBatch> sums_;
};

std::int64_t RecordSectors::check(std::span<const std::uint64_t> ranges) const {
  if constexpr (!kChecksReads) return kAllRight;
  if (!in_file_) return as_offset(position_, 0);
  Batch batch(*this);
  std::uint64_t seen_first = 0;  // The sectors [seen_first, seen_last) have been added to the batch.
  std::uint64_t seen_last = 0;
  for (std::size_t i = 0; i + 1 < ranges.size(); i += 2) {
    if (const std::int64_t outside = check_inside(ranges[i], ranges[i + 1]); outside != kAllRight) {
      const std::int64_t wrong = batch.finish();
      return wrong != kAllRight ? wrong : outside;
    }
    if (ranges[i] == ranges[i + 1]) continue;
    const std::uint64_t first = ranges[i] / kSectorBytes;
    const std::uint64_t last = (ranges[i + 1] - 1) / kSectorBytes + 1;
    const bool overlaps = first >= seen_first && first < seen_last;
    for (std::uint64_t sector = overlaps ? seen_last : first; sector < last; ++sector) {
      if (const std::int64_t wrong = batch.add(sector); wrong != kAllRight) return wrong;
    }
    seen_first = overlaps ? seen_first : first;
    seen_last = overlaps ? std::max(seen_last, last) : last;
  }
  return batch.finish();
}

std::int64_t RecordSectors::check_inside(std::uint64_t start, std::uint64_t stop) const {
  if (start > stop) return as_offset(payload_begin(), start);
  const std::uint64_t end = sum_count_ * kSectorBytes;
  return stop > end ? as_offset(payload_begin(), std::max(start, end)) : kAllRight;
}

std::int64_t RecordSectors::check_payload(std::uint64_t first, std::uint64_t last) const {
  Batch batch(*this);
  for (std::uint64_t sector = first; sector < last; ++sector) {
    if (const std::int64_t wrong = batch.add(sector); wrong != kAllRight) return wrong;
  }
  return batch.finish();
}

bool RecordSectors::table_sector_right(std::uint64_t offset) const {
  constexpr std::size_t kSummed = kSectorBytes - sizeof(std::uint32_t);
  return crc32c(&file_[offset], kSummed, seed_of(offset)) == load_u32(&file_[offset + kSummed]);
}

std::int64_t RecordSectors::check_table() const {
  for (std::uint64_t offset = position_ + kSectorBytes; offset < payload_begin(); offset += kSectorBytes) {
    if (!fits(offset) || !table_sector_right(offset)) return as_offset(offset, 0);
  }
  return kAllRight;
}

std::int64_t RecordSectors::check_all() const {
  if (!in_file_) return as_offset(position_, 0);
  const std::int64_t wrong = check_table();
  return wrong != kAllRight ? wrong : check_payload(0, sum_count_);
}

std::int64_t RecordSectors::check_torn(std::uint64_t stop) const {
  if (!in_file_) return as_offset(position_, 0);
  const std::uint64_t table_end = std::min(stop, payload_begin());
  for (std::uint64_t offset = position_ + kSectorBytes; offset < table_end; offset += kSectorBytes) {
    if (!fits(offset)) return as_offset(offset, 0);
    if (!all_zero(&file_[offset], kSectorBytes) && !table_sector_right(offset)) return as_offset(offset, 0);
  }
  for (std::uint64_t k = 0; k < sum_count_; ++k) {
    const std::uint64_t offset = payload_begin() + kSectorBytes * k;
    if (offset >= stop) break;
    if (const std::int64_t wrong = check_reach(k); wrong != kAllRight) return wrong;
    if (all_zero(&file_[offset], kSectorBytes)) continue;
    if (k >= kHeaderSums && all_zero(&file_[table_sector_of(k)], kSectorBytes)) continue;
    if (check_payload(k, k + 1) != kAllRight) return as_offset(offset, 0);
  }
  return kAllRight;
}

bool RecordSectors::header_right() const {
  if (!in_file_ || std::memcmp(&file_[position_], kMagic, sizeof kMagic) != 0) return false;
  const std::uint32_t sum = crc32c(&file_[position_ + kSumCountAt], kSectorBytes - kSumCountAt, seed_of(position_));
  return sum == load_u32(&file_[position_ + kHeaderSumAt]);
}

RecordsChecked check_records(Octets file, std::uint64_t begin, std::uint64_t end, std::uint32_t salt,
                             std::uint64_t bytes_max) {
  std::uint64_t position = begin;
  while (position < end && position - begin < bytes_max) {
    const RecordSectors record(file, position, salt);
    if (!record.header_right() || record.end() > end) return {position, as_offset(position, 0)};
    const std::int64_t wrong = record.check_all();
    if (wrong != kAllRight) return {position, wrong};
    position = record.end();
  }
  return {position, kAllRight};
}

std::int64_t nonzero_sector(Octets file, std::uint64_t start, std::uint64_t stop) {
  for (std::uint64_t offset = start; offset < stop; offset += kSectorBytes) {
    const std::size_t bytes = std::min<std::uint64_t>(kSectorBytes, stop - offset);
    if (!all_zero(&file[offset], bytes)) return as_offset(offset, 0);
  }
  return kAllRight;
}

}  // namespace engram
