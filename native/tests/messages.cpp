#include "messages.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "short_frames.hpp"
#include "vector_texts.hpp"

namespace {

using engram::CutVectors;
using engram::ShortFrame;

constexpr std::size_t kRounds = 20'000;
constexpr std::string_view kCharacters = "{}[]\",:\\ \n0123456789+-.eEvector=/AZaz\xC3";

void check(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", promise);
  std::_Exit(1);
}

std::size_t below(std::mt19937& random, std::size_t count) { return random() % count; }

// Copies it to a block of its own, so that a sanitizer sees what is read outside of it.
bool cut(const std::vector<std::string>& texts, CutVectors& made) {
  std::vector<std::vector<char>> copies;
  std::vector<std::string_view> views;
  copies.reserve(texts.size());
  views.reserve(texts.size());
  for (const std::string& text : texts) copies.emplace_back(text.begin(), text.end());
  for (const std::vector<char>& copy : copies) views.emplace_back(copy.data(), copy.size());
  return engram::cut_vectors(views, made);
}

void damage(std::string& text, std::mt19937& random) {
  const std::size_t place = below(random, text.size() + 1);
  switch (below(random, 3)) {
    case 0:
      text.resize(place);
      break;
    case 1:
      text.insert(place, 1, kCharacters[below(random, kCharacters.size())]);
      break;
    default:
      if (place < text.size()) text[place] = kCharacters[below(random, kCharacters.size())];
  }
}

void cut_texts(std::mt19937& random) {
  const std::vector<std::string> sound = {
      R"({"type":"observation","id":"a","vector":[1,-2.5e-3, 0.30000000000000004 ,12345678901234567890]})",
      R"({"vector":"AACAPwAAAEAAAEBAAACAQA==","metadata":{"vector":["\"]"]},"id":"b"})",
      R"({"id":"c","vector":[0.1,123456789.123456789,1e-45,3.4028235677973366e38]})",
  };
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::vector<std::string> texts(1 + below(random, 3));
    for (std::string& text : texts) text = sound[below(random, sound.size())];
    for (std::size_t i = below(random, 4); i > 0; --i) damage(texts[below(random, texts.size())], random);
    CutVectors made;
    if (cut(texts, made)) {
      check(made.numbers.size() % texts.size() == 0, "every object has as many numbers");
      check(made.rest.starts_with("[{") && made.rest.ends_with(']'), "what is left is a list");
    }
  }
  CutVectors both;
  check(cut({sound[0], sound[0]}, both) && both.numbers.size() == 8, "sound texts are read");
}

void take_frames(std::mt19937& random) {
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::vector<std::uint8_t> bytes(below(random, 160));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    if (!bytes.empty()) bytes[0] = below(random, 4) == 0 ? bytes[0] : 0x81;
    if (bytes.size() > 3 && bytes[1] == 0xFE) bytes[2] = 0;
    const std::optional<ShortFrame> frame = engram::short_frame(bytes, 140);
    if (!frame || !frame->is_whole) continue;
    check(frame->size <= bytes.size() && frame->masked.size() <= 140, "a frame is within what was received");
    std::vector<std::uint8_t> message(frame->masked.size());
    bool is_ascii = true;
    const bool said = engram::unmask(*frame, message.data());
    for (std::size_t i = 0; i < message.size(); ++i) {
      check(message[i] == (frame->masked[i] ^ frame->mask[i % 4]), "a message is unmasked");
      is_ascii = is_ascii && message[i] < 0x80;
    }
    check(said == is_ascii, "it is said whether a message is ASCII");
  }
}

}  // namespace

void read_messages() {
  std::mt19937 random(5);
  cut_texts(random);
  take_frames(random);
}
