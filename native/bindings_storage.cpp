#include "bindings_storage.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <optional>
#include <system_error>
#include <tuple>
#include <vector>

#include "bindings_arrays.hpp"
#include "bindings_buffer.hpp"
#include "crc32c.hpp"
#include "mapping.hpp"
#include "sectors.hpp"
#include "unlocked.hpp"

namespace engram {
namespace {

using namespace nb::literals;

// Where the columns of a record begin, in bytes from the beginning of the payload. `Numbers`: first the times, int64,
// then the others, float; -1 for one that the record does not have. `TextPlace`: the offsets of a column of texts, its
// bytes, and how many bytes these are.
using Numbers = std::vector<std::int64_t>;
using TextPlace = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;
using Texts = std::vector<std::optional<TextPlace>>;

NewVector<std::uint32_t> crc32c_rows(nb::handle matrix) {
  const Buffer buffer(matrix);
  if (buffer.ndim() != 2) throw nb::value_error("the matrix must have two dimensions");
  const std::size_t n = buffer.rows();
  const Octets octets = buffer.octets();
  auto made = new_vector<std::uint32_t>(n);
  std::uint32_t* sums = made.data();
  std::fill_n(sums, n, 0U);
  run_over(octets.size(), [&] {
    constexpr std::size_t kBatch = 48;
    const std::size_t bytes = n == 0 ? 0 : octets.size() / n;
    const std::uint8_t* rows[kBatch];
    for (std::size_t done = 0; done < n; done += kBatch) {
      const std::size_t count = std::min(kBatch, n - done);
      for (std::size_t i = 0; i < count; ++i) rows[i] = octets.data() + (done + i) * bytes;
      crc32c_blocks(rows, count, bytes, sums + done);
    }
  });
  return made;
}

// Checksums of sectors as they are stored, which Python keeps as bytes.
nb::bytes as_bytes(const std::vector<std::uint32_t>& sums) {
  return nb::bytes(sums.data(), sums.size() * sizeof(std::uint32_t));
}

std::vector<std::uint32_t> from_bytes(const nb::bytes& sums) {
  if (sums.size() % sizeof(std::uint32_t) != 0) throw nb::value_error("the checksums must be of 4 bytes each");
  std::vector<std::uint32_t> numbers(sums.size() / sizeof(std::uint32_t));
  if (!numbers.empty()) std::memcpy(numbers.data(), sums.c_str(), sums.size());
  return numbers;
}

nb::bytes sums_of_sectors(nb::sequence parts) {
  std::deque<Buffer> buffers;
  std::vector<Octets> octets;
  std::size_t total = 0;
  for (nb::handle part : parts) {
    octets.push_back(buffers.emplace_back(part).octets());
    total += octets.back().size();
  }
  if (total % kSectorBytes != 0) throw nb::value_error("the parts together must be a multiple of 512 bytes");
  std::vector<std::uint32_t> sums(total / kSectorBytes);
  run_over(total, [&] { sector_sums(octets, sums.data()); });
  return as_bytes(sums);
}

nb::bytes salted_sums(const nb::bytes& sums, std::uint64_t salt, std::uint64_t first_sector) {
  std::vector<std::uint32_t> numbers = from_bytes(sums);
  salt_sums(numbers, static_cast<std::uint32_t>(salt), first_sector);
  return as_bytes(numbers);
}

NewVector<std::uint32_t> joined_sums(const nb::bytes& sums, std::size_t sectors_per_row) {
  const std::vector<std::uint32_t> numbers = from_bytes(sums);
  if (sectors_per_row == 0 || numbers.size() % sectors_per_row != 0) {
    throw nb::value_error("the checksums must be those of whole rows");
  }
  auto made = new_vector<std::uint32_t>(numbers.size() / sectors_per_row);
  join_sums(numbers, sectors_per_row, made.data());
  return made;
}

RecordSectors record_at(const Buffer& memory, std::uint64_t position, std::uint64_t salt) {
  if (position % kSectorBytes != 0) throw nb::value_error("the position must be a multiple of 512");
  return {memory.octets(), position, static_cast<std::uint32_t>(salt)};
}

std::int64_t check_sectors(nb::handle memory, std::uint64_t position, const std::vector<std::uint64_t>& ranges,
                           std::uint64_t salt) {
  if (ranges.size() % 2 != 0) throw nb::value_error("ranges must be pairs of start and stop");
  const Buffer buffer(memory);
  const RecordSectors record = record_at(buffer, position, salt);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < ranges.size(); i += 2) {
    if (ranges[i] < ranges[i + 1]) bytes += std::min<std::uint64_t>(ranges[i + 1] - ranges[i], buffer.octets().size());
  }
  return run_over(bytes, [&] { return record.check(ranges); });
}

// Copies one row of a record without its vector, and notes which bytes it read. Bytes outside of the memory are noted
// but not copied; no check accepts them.
class RowReader {
 public:
  RowReader(Octets memory, std::uint64_t payload, std::uint64_t row) : memory_(memory), payload_(payload), row_(row) {}

  // Copies a number of the column at `start`. All positions are in bytes from the beginning of the payload.
  template <class Number>
  Number number(std::uint64_t start, std::size_t count_before = 0) {
    Number value{};
    const std::uint64_t begin = start + sizeof value * (row_ + count_before);
    if (note(begin, begin + sizeof value)) std::memcpy(&value, at(begin), sizeof value);
    return value;
  }
  nb::bytes text(const TextPlace& place) {
    const auto [offsets, start, nbytes] = place;
    const auto begin = number<std::uint32_t>(offsets);
    const auto end = number<std::uint32_t>(offsets, 1);
    if (!note(start + begin, start + end) || end > nbytes) return nb::bytes("", 0);
    return nb::bytes(at(start + begin), end - begin);
  }
  const std::vector<std::uint64_t>& ranges() const { return ranges_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  bool note(std::uint64_t begin, std::uint64_t end) {
    ranges_.push_back(begin);
    ranges_.push_back(end);
    const bool inside = begin <= end && payload_ <= memory_.size() && end <= memory_.size() - payload_;
    if (inside) bytes_ += end - begin;
    return inside;
  }
  const char* at(std::uint64_t place) const { return reinterpret_cast<const char*>(memory_.data()) + payload_ + place; }

  Octets memory_;
  std::uint64_t payload_;
  std::uint64_t row_;
  std::vector<std::uint64_t> ranges_;
  std::uint64_t bytes_ = 0;
};

nb::object decoded(const nb::bytes& utf8) {
  const nb::object text = nb::steal(PyUnicode_DecodeUTF8(utf8.c_str(), static_cast<Py_ssize_t>(utf8.size()), "strict"));
  if (!text.is_valid()) throw nb::python_error();
  return text;
}

nb::object read_text(nb::handle memory, std::uint64_t position, std::uint64_t payload, const TextPlace& place,
                     std::uint64_t row, std::uint64_t salt) {
  const Buffer buffer(memory);
  const RecordSectors record = record_at(buffer, position, salt);
  RowReader reader(buffer.octets(), payload, row);
  const nb::bytes utf8 = reader.text(place);
  const std::int64_t wrong = run_over(reader.bytes(), [&] { return record.check(reader.ranges()); });
  return wrong == kAllRight ? decoded(utf8) : nb::int_(wrong);
}

nb::object read_row(nb::handle memory, std::uint64_t position, std::uint64_t payload, const Numbers& numbers,
                    const Texts& texts, std::uint64_t row, std::uint64_t salt) {
  const Buffer buffer(memory);
  const RecordSectors record = record_at(buffer, position, salt);
  RowReader reader(buffer.octets(), payload, row);
  nb::list row_read;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto start = static_cast<std::uint64_t>(numbers[i]);
    if (numbers[i] < 0) {
      row_read.append(nb::none());
    } else if (i == 0) {
      row_read.append(reader.number<std::int64_t>(start));
    } else {
      row_read.append(reader.number<float>(start));
    }
  }
  std::vector<nb::bytes> utf8;
  for (const auto& place : texts) utf8.push_back(place.has_value() ? reader.text(*place) : nb::bytes("", 0));
  // The check follows the copy: if the source is right now, the copy is right, too.
  const std::int64_t wrong = run_over(reader.bytes(), [&] { return record.check(reader.ranges()); });
  if (wrong != kAllRight) return nb::int_(wrong);
  for (const nb::bytes& text : utf8) row_read.append(decoded(text));
  return nb::tuple(row_read);
}

std::int64_t check_all(nb::handle memory, std::uint64_t position, std::uint64_t salt) {
  const Buffer buffer(memory);
  const RecordSectors record = record_at(buffer, position, salt);
  const Unlocked unlocked;
  return record.check_all();
}

nb::tuple checked_records(nb::handle memory, std::uint64_t begin, std::uint64_t end, std::uint64_t salt,
                          std::uint64_t bytes_max) {
  const Buffer buffer(memory);
  if (end > buffer.octets().size()) throw nb::value_error("end lies outside the memory");
  RecordsChecked checked{};
  {
    const Unlocked unlocked;
    checked = check_records(buffer.octets(), begin, end, static_cast<std::uint32_t>(salt), bytes_max);
  }
  return nb::make_tuple(checked.position, checked.wrong);
}

std::int64_t torn_sectors(nb::handle memory, std::uint64_t position, std::uint64_t salt, std::uint64_t stop) {
  const Buffer buffer(memory);
  const RecordSectors record = record_at(buffer, position, salt);
  const Unlocked unlocked;
  return record.check_torn(stop);
}

std::int64_t first_nonzero_sector(nb::handle memory, std::uint64_t start, std::uint64_t stop) {
  const Buffer buffer(memory);
  if (stop > buffer.octets().size()) throw nb::value_error("stop lies outside the memory");
  const Unlocked unlocked;
  return nonzero_sector(buffer.octets(), start, stop);
}

nb::ndarray<nb::numpy, const std::uint8_t, nb::ndim<1>> view_of(nb::handle mapping) {
  static const std::uint8_t nothing = 0;
  const auto& self = nb::cast<const Mapping&>(mapping);
  // The array holds a reference to the mapping, so the mapping lives as long as any view of it.
  return {self.size() == 0 ? &nothing : self.data(), {self.size()}, mapping};
}

// Translates a failed call of the operating system to an OSError with its number, as Python's own functions raise it.
void raise_os_error(const std::exception_ptr& failure, void*) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::system_error& error) {
    const nb::object raised = nb::borrow(PyExc_OSError)(error.code().value(), error.what());
    PyErr_SetObject(PyExc_OSError, raised.ptr());
  }
}

}  // namespace

void bind_storage(nb::module_& m) {
  nb::register_exception_translator(raise_os_error);
  m.def("crc32c_rows", &crc32c_rows, "matrix"_a);
  m.def("sector_sums", &sums_of_sectors, "parts"_a);
  m.def("salted_sums", &salted_sums, "sums"_a, "salt"_a, "first_sector"_a);
  m.def("joined_sums", &joined_sums, "sums"_a, "sectors_per_row"_a);
  m.def("check_sectors", &check_sectors, "memory"_a, "position"_a, "ranges"_a, "salt"_a);
  m.def("read_text", &read_text, "memory"_a, "position"_a, "payload"_a, "place"_a, "row"_a, "salt"_a);
  m.def("read_row", &read_row, "memory"_a, "position"_a, "payload"_a, "numbers"_a, "texts"_a, "row"_a, "salt"_a);
  m.def("check_all", &check_all, "memory"_a, "position"_a, "salt"_a);
  m.def("check_records", &checked_records, "memory"_a, "begin"_a, "end"_a, "salt"_a, "bytes_max"_a);
  m.def("torn_sectors", &torn_sectors, "memory"_a, "position"_a, "salt"_a, "stop"_a);
  m.def("nonzero_sector", &first_nonzero_sector, "memory"_a, "start"_a, "stop"_a);
  m.def("lost_pages", &bus_guard::lost_pages);

  nb::class_<Mapping>(m, "Mapping")
      .def(nb::init<int, std::size_t, bool>(), "fd"_a, "nbytes"_a, "random_reads"_a)
      .def("view", &view_of)
      .def_prop_ro("lost_pages", &Mapping::lost_pages);
}

}  // namespace engram
