// WAV files for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace test {

inline std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i & 0xFF);
  return text;
}

inline std::string wav_chunk(std::string_view id, const std::string& body) {
  return std::string(id) + little(body.size(), 4) + body + (body.size() % 2 == 1 ? std::string(1, '\0') : "");
}

// coding 1: PCM, 3: float.
inline std::string wav_format(int coding, int channels, int rate_hz, int bits) {
  const auto frame = static_cast<std::uint64_t>(channels * bits / 8);
  return little(static_cast<std::uint64_t>(coding), 2) + little(static_cast<std::uint64_t>(channels), 2) +
         little(static_cast<std::uint64_t>(rate_hz), 4) +
         little(static_cast<std::uint64_t>(rate_hz) * frame, 4) + little(frame, 2) +
         little(static_cast<std::uint64_t>(bits), 2);
}

inline std::string wav_file(const std::string& chunks) {
  return "RIFF" + little(chunks.size() + 4, 4) + "WAVE" + chunks;
}

// 16-bit mono of a function of time in seconds with values in −1..1.
template <class Wave>
std::string wav_of(int rate_hz, double seconds, const Wave& wave) {
  std::string samples;
  for (int i = 0; i < static_cast<int>(seconds * rate_hz); ++i)
    samples += little(
        static_cast<std::uint64_t>(static_cast<std::int64_t>(32767 * wave(static_cast<double>(i) / rate_hz))),
        2);
  return wav_file(wav_chunk("fmt ", wav_format(1, 1, rate_hz, 16)) + wav_chunk("data", samples));
}

}  // namespace test
