// Checksums of the sectors of a log record, computed when the record is written and checked when a part of it is read
// (our own, see docs/decisions/0013).
//
// A disk writes a sector as a whole, and a sector is small enough to check one hit without reading its whole record.
// The seed of a sector's checksum is the number of the sector in the file plus the file's salt, so a sector in a wrong
// place is wrong. The lengths in a record come from the disk, so each one is compared with the file before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace engram {

inline constexpr std::size_t kSectorBytes = 512;
inline constexpr std::int64_t kAllRight = -1;

using Octets = std::span<const std::uint8_t>;

// Writes the checksum of each sector of `parts`, taken one after the other, to `sums`: the plain one, whose seed is 0.
// The bytes of all parts together are a multiple of a sector.
void sector_sums(std::span<const Octets> parts, std::uint32_t* sums);

// Makes plain checksums of sectors those of sectors in a file: the seeds become those of the sectors from the number
// `first_sector` on in a file with this salt. Nothing is read again, because a checksum is linear in its seed.
void salt_sums(std::span<std::uint32_t> sums, std::uint32_t salt, std::uint64_t first_sector);

// Writes the checksums of rows to `row_sums`, given the plain checksums of the sectors that each row consists of.
void join_sums(std::span<const std::uint32_t> sums, std::size_t sectors_per_row, std::uint32_t* row_sums);

// The record at `position` of the file whose bytes are `file`. The first sector of a record is its header. Table
// sectors with the checksums that the header has no room for follow, then the payload.
class RecordSectors {
 public:
  RecordSectors(Octets file, std::uint64_t position, std::uint32_t salt);

  // `check`, `check_all` and `check_torn` return kAllRight or the offset in the file of the first wrong sector. A
  // sector that would lie outside the file or the record is wrong.

  // Checks the payload's sectors that the ranges touch. The ranges are pairs of start and stop, in bytes from the
  // beginning of the payload. If they ascend, a sector that a range shares with those before it is checked once.
  std::int64_t check(std::span<const std::uint64_t> ranges) const;
  // Checks the table and the payload.
  std::int64_t check_all() const;
  // Checks the table and the payload up to the offset `stop` of the file, as a torn write may have left them: a sector
  // may also be all zero, as if it was never written, and a payload sector may hold anything if the table sector with
  // its checksum is all zero.
  std::int64_t check_torn(std::uint64_t stop) const;
  // Whether the header matches its own checksum and begins with the magic number of a record.
  bool header_right() const;
  // The offset in the file at which the record ends, according to its own header.
  std::uint64_t end() const { return payload_begin() + kSectorBytes * sum_count_; }

 private:
  class Batch;

  bool fits(std::uint64_t offset) const { return offset + kSectorBytes <= file_.size(); }
  std::uint64_t payload_begin() const;
  std::uint64_t offset_of(std::uint64_t sector) const;
  std::uint64_t table_sector_of(std::uint64_t sector) const;
  // Checks that the file and the table reach as far as the payload's sector `sector` and its checksum.
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

// How far consecutive records were checked, and the offset of the first wrong sector, or kAllRight.
struct RecordsChecked {
  std::uint64_t position;
  std::int64_t wrong;
};

// Checks the consecutive records of [begin, end) from `begin` on until `bytes_max` bytes are done. If a record is
// wrong, `position` is where it begins, because the length in it may be wrong, too.
RecordsChecked check_records(Octets file, std::uint64_t begin, std::uint64_t end, std::uint32_t salt,
                             std::uint64_t bytes_max);

// Returns the offset of the first sector in [start, stop) that is not all zero, or -1.
std::int64_t nonzero_sector(Octets file, std::uint64_t start, std::uint64_t stop);

}  // namespace engram
