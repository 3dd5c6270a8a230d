// Checksums of the sectors of a log record, made when it is written and checked when a part of it is read.
//
// A sector is what a disk writes as a whole, and fine enough to check one hit without reading its whole record. The
// seed of a sector's sum is its number in the file plus the file's salt, so that a sector in a wrong place is wrong.
// What a record says about itself comes from the disk: no length in it is believed before it is compared with the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace engram {

inline constexpr std::size_t kSectorBytes = 512;
inline constexpr std::int64_t kAllRight = -1;

using Octets = std::span<const std::uint8_t>;

// Writes the sum of each sector of the parts, which lie one after the other, to `sums`. Their bytes together are a
// multiple of a sector; the first of them has the number `first_sector` in its file.
void sector_sums(std::span<const Octets> parts, std::uint32_t salt, std::uint64_t first_sector, std::uint32_t* sums);

// The record at `position` of a file that lies at `file`. Its first sector is the header; table sectors with the sums
// that the header has no room for follow, then the payload.
class RecordSectors {
 public:
  RecordSectors(Octets file, std::uint64_t position, std::uint32_t salt);

  // Each answers kAllRight or the offset in the file of the first wrong sector; what would lie outside the file or the
  // record is wrong.

  // The payload's sectors that the ranges touch: pairs of start and stop, counted from the payload's beginning. Sectors
  // that a range shares with those before it are checked once, if the ranges ascend.
  std::int64_t check(std::span<const std::uint64_t> ranges) const;
  // The table and the payload.
  std::int64_t check_all() const;
  // As above up to the offset `stop` of the file, except that a sector may be all zero, as if it was never written; and
  // that anything goes where the sum was in a table sector that was never written.
  std::int64_t check_torn(std::uint64_t stop) const;
  // The header's own checksum, and that it begins as a record does.
  bool header_right() const;
  // Where the record ends in the file, as it says itself.
  std::uint64_t end() const { return payload_begin() + kSectorBytes * sum_count_; }

 private:
  class Batch;

  bool fits(std::uint64_t offset) const { return offset + kSectorBytes <= file_.size(); }
  std::uint64_t payload_begin() const;
  std::uint64_t offset_of(std::uint64_t sector) const;
  std::uint64_t table_sector_of(std::uint64_t sector) const;
  // Whether the file and the table reach as far as the payload's sector `sector` and its sum.
  std::int64_t check_reach(std::uint64_t sector) const;
  const std::uint8_t* sum_at(std::uint64_t sector) const;
  std::uint32_t seed_of(std::uint64_t offset) const;
  std::int64_t check_inside(std::uint64_t start, std::uint64_t stop) const;
  std::int64_t check_table() const;
  std::int64_t check_payload(std::uint64_t first, std::uint64_t last) const;
  bool table_sector_right(std::uint64_t offset) const;

  Octets file_;
  std::uint64_t position_;
  std::uint32_t salt_;
  bool in_file_;
  std::uint64_t sum_count_ = 0;
  std::uint64_t table_sectors_ = 0;
};

// How far records were checked that lie back to back, and the first wrong sector, or kAllRight.
struct RecordsChecked {
  std::uint64_t position;
  std::int64_t wrong;
};

// Checks the records of [begin, end) from `begin` on until `bytes_max` bytes are done. If one is wrong, `position` is
// where it begins, since what it says of its length may be wrong, too.
RecordsChecked check_records(Octets file, std::uint64_t begin, std::uint64_t end, std::uint32_t salt,
                             std::uint64_t bytes_max);

// The offset of the first sector in [start, stop) that is not all zero, or -1.
std::int64_t nonzero_sector(Octets file, std::uint64_t start, std::uint64_t stop);

}  // namespace engram
