#include "short_frames.hpp"

#include <cstring>

namespace engram {
namespace {

constexpr std::uint8_t kWholeText = 0x81;
constexpr std::uint8_t kWholeBinary = 0x82;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint64_t kNotAscii = 0x8080808080808080U;

}  // namespace

std::optional<ShortFrame> short_frame(std::span<const std::uint8_t> bytes, std::size_t size_max) {
  if (bytes.size() < 2) return std::nullopt;
  const std::uint8_t length = bytes[1] & 0x7FU;
  if ((bytes[0] != kWholeText && bytes[0] != kWholeBinary) || (bytes[1] & kMasked) == 0 || length > kLength16) {
    return std::nullopt;
  }
  ShortFrame frame;
  frame.is_binary = bytes[0] == kWholeBinary;
  const std::size_t head = (length == kLength16 ? 4 : 2) + frame.mask.size();
  if (bytes.size() < head) return frame;
  std::size_t count = length;
  if (length == kLength16) count = (std::size_t{bytes[2]} << 8U) | bytes[3];
  if (count > size_max) return std::nullopt;
  frame.size = head + count;
  frame.is_whole = frame.size <= bytes.size();
  if (frame.is_whole) {
    std::memcpy(frame.mask.data(), bytes.data() + head - frame.mask.size(), frame.mask.size());
    frame.masked = bytes.subspan(head, count);
  }
  return frame;
}

bool unmask(const ShortFrame& frame, std::uint8_t* out) {
  std::uint64_t mask = 0;
  std::memcpy(&mask, frame.mask.data(), frame.mask.size());
  std::memcpy(reinterpret_cast<std::uint8_t*>(&mask) + frame.mask.size(), frame.mask.data(), frame.mask.size());
  std::uint64_t seen = 0;
  std::size_t place = 0;
  for (; place + sizeof mask <= frame.masked.size(); place += sizeof mask) {
    std::uint64_t word = 0;
    std::memcpy(&word, frame.masked.data() + place, sizeof word);
    word ^= mask;
    seen |= word;
    std::memcpy(out + place, &word, sizeof word);
  }
  for (; place < frame.masked.size(); ++place) {
    out[place] = frame.masked[place] ^ frame.mask[place % frame.mask.size()];
    seen |= out[place];
  }
  return (seen & kNotAscii) == 0;
}

}  // namespace engram
