// Where the sound of a recording begins and ends, for cutting the silence around a take.
//
//   level(k)   root mean square over all channels of the samples in the k-th 20 ms
//   loud       level ≥ 1 % of full scale
//   begin      the start of the first 0.1 s (five levels on end) that are all loud, less a margin of 0.1 s
//   end        the end of the last such 0.1 s, plus the margin; both within the file
//
// This reads the preparation of IMU2Music (its process_data.sh: `sox … silence -l 1 0.1 1%` from either end)
// as: threshold 1 % of the largest value that a sample can have, on sox's running level over a fiftieth of a
// second, for at least 0.1 s. That script then rounds the start up and the end down to whole seconds, by
// which up to a second of music is lost on either side; here nothing is rounded. Its 0.1 is how long sound
// must last, no margin: sox keeps nothing before it. A margin is kept here so that an attack's first
// milliseconds are not cut off, nor the motion that leads to them. Notes are none the worse for it: their
// times are those of the uncut sound. Levels stand side by side here and overlap in sox, so both agree to
// 20 ms.
//
// Cost: one pass over the samples. Nothing where no 0.1 s are loud.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "imu2music/io/wav_reader.hpp"

namespace imu2music::inline v0 {

struct SoundSpan {
  double begin_s = 0, end_s = 0;
};

inline std::optional<SoundSpan> sound_span(const WavFile& wav) {
  constexpr double level_s = 0.02, threshold = 0.01, margin_s = 0.1;
  constexpr int loud_levels = 5;
  const auto length = std::max<std::int64_t>(1, std::llround(level_s * wav.rate_hz()));
  std::optional<SoundSpan> span;
  int run = 0;
  // A last part shorter than a level is no level of its own.
  for (std::int64_t first = 0; first + length <= wav.frames(); first += length) {
    double squares = 0;
    for (std::int64_t i = first; i < first + length; ++i)
      for (int channel = 0; channel < wav.channels(); ++channel) {
        const double value = wav.sample(i, channel);
        squares += value * value;
      }
    const bool loud = std::sqrt(squares / static_cast<double>(length * wav.channels())) >= threshold;
    run = loud ? run + 1 : 0;
    if (run < loud_levels) continue;
    const double end = static_cast<double>(first + length) / wav.rate_hz();
    if (!span)
      span = SoundSpan{static_cast<double>(first + length - loud_levels * length) / wav.rate_hz(), end};
    span->end_s = end;
  }
  if (span) {
    span->begin_s = std::max(0.0, span->begin_s - margin_s);
    span->end_s = std::min(wav.seconds(), span->end_s + margin_s);
  }
  return span;
}

}  // namespace imu2music::inline v0
