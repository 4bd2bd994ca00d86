// Convolutions along a line, for the vector columns of conv2d: where the numbers stand that outputs want.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../conv2d_table.hpp"
#include "isa.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

// A kernel that moves along the height alone, or along a single row, sees each plane as one line of `row`
// numbers a place. The stretches of it that 64 outputs want, of as many channels as fit the first-level
// cache, are laid out densely once for all planes, with zeros outside; where the stride is s, the places
// congruent modulo s stand together, so that neighbouring outputs look at neighbouring numbers.
struct Conv2dLine {
  static constexpr std::int64_t outputs = 64, most_taps = 32;
  static constexpr std::int64_t most = 6144;  // numbers of a panel

  std::int64_t row, places, stride, taps, out;
  std::int64_t first;           // of a stretch's places, before its outputs'
  std::int64_t segment, width;  // numbers of one residue's stretch, and of all
  std::int64_t offset[most_taps];
  bool used[most_taps];  // residues that some tap looks at
};

// Whether the convolution is along a line that fits.
inline bool conv2d_line(const Conv2dArguments<float>& a, Conv2dLine& line) {
  std::int64_t pad = a.pad_h;
  if (a.kernel_w == 1 && a.stride_w == 1 && a.pad_w == 0) {
    line.row = a.W, line.places = a.H, line.stride = a.stride_h, line.taps = a.kernel_h;
  } else if (a.H == 1 && a.kernel_h == 1 && a.pad_h == 0 && a.stride_w == 1) {
    line.row = 1, line.places = a.W, line.stride = 1, line.taps = a.kernel_w;
    pad = a.pad_w;
  } else {
    return false;
  }
  if (a.C < 1 || line.taps < 1 || line.taps > Conv2dLine::most_taps || line.stride > Conv2dLine::most_taps)
    return false;
  line.out = a.out_h * a.out_w;
  for (std::int64_t f = 0; f < line.stride; ++f) line.used[f] = false;
  line.first = -((pad + line.stride - 1) / line.stride);
  // Tap v looks at place i stride + v - pad, which is (i + e) stride + f.
  const std::int64_t last = (line.taps - 1 - pad - line.first * line.stride) / line.stride;
  line.segment = Conv2dLine::outputs + last * line.row;
  line.width = line.stride * line.segment;
  if (line.width > Conv2dLine::most) return false;
  for (std::int64_t v = 0; v < line.taps; ++v) {
    const std::int64_t from_first = v - pad - line.first * line.stride;
    const std::int64_t f = from_first % line.stride;
    line.offset[v] = f * line.segment + from_first / line.stride * line.row;
    line.used[f] = true;
  }
  return true;
}

// The stretches that outputs j.. want of channels c_begin..c_end of example b.
inline void conv2d_line_panel(const Conv2dArguments<float>& a, const Conv2dLine& line, std::int64_t b,
                              std::int64_t j, std::int64_t c_begin, std::int64_t c_end, float* panel) {
  for (std::int64_t c = c_begin; c < c_end; ++c) {
    const float* x = a.x + (b * a.C + c) * line.places * line.row;
    for (std::int64_t f = 0; f < line.stride; ++f, panel += line.segment) {
      if (!line.used[f]) continue;
      // Number n of the segment is number (first row + j + n) of the line of places f, stride + f, ...
      std::int64_t n = 0, at = line.first * line.row + j;
      for (; n < line.segment && at < 0; ++n, ++at) panel[n] = 0;
      while (n < line.segment) {
        const std::int64_t place = at / line.row * line.stride + f, within = at % line.row;
        if (place >= line.places) break;
        // Where all places stand together, to the end; else to the end of this one.
        std::int64_t count = (line.stride == 1 ? (line.places - place) * line.row : line.row) - within;
        if (count > line.segment - n) count = line.segment - n;
        __builtin_memcpy(panel + n, x + place * line.row + within,
                         static_cast<std::size_t>(count) * sizeof(float));
        n += count, at += count;
      }
      for (; n < line.segment; ++n) panel[n] = 0;
    }
  }
}

}  // namespace imu2music::inline v0::kernels
#endif
