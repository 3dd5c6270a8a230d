// Frames of WebSocket that are messages by themselves and not large: taken many at a time (RFC 6455, section 5.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace engram {

// A frame with a whole message, whose length is written in at most 16 bits, from a client, without extensions.
struct ShortFrame {
  bool is_binary = false;
  bool is_whole = false;  // Whether all of it is there; otherwise only the next field counts.
  std::size_t size = 0;   // With its head; 0 if the head is not whole.
  std::array<std::uint8_t, 4> mask{};
  std::span<const std::uint8_t> masked;
};

// Returns the frame at the beginning of `bytes`, or what there is of it; nothing if it is another one, or if its
// message has more than `size_max` bytes.
std::optional<ShortFrame> short_frame(std::span<const std::uint8_t> bytes, std::size_t size_max);

// Writes the message of a whole frame to `out`, and returns whether it is ASCII.
bool unmask(const ShortFrame& frame, std::uint8_t* out);

}  // namespace engram
