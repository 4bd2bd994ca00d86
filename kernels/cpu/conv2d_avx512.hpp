// Two-dimensional cross-correlation, AVX-512.
//
// Lanes run along the output's width; a tile of up to four planes by four vectors stands in registers while
// the weights go by, so that planes share the loads of x. A stride of 2 takes the even lanes of two loads,
// any other is gathered. Each output adds its products in the order of c, u, v, whatever the planes asked
// for.
#pragma once

#include "../conv2d_table.hpp"
#include "conv2d_line.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// The lanes whose index lies in 0..count.
inline __mmask16 conv2d_inside(__m512i index, std::int64_t count) {
  return _mm512_cmplt_epu32_mask(index, _mm512_set1_epi32(static_cast<int>(count)));  // as unsigned numbers
}

// 16 inputs, `stride` apart from position `at` of a row of `width` numbers on, 0 outside it. `inside`: none
// is outside, nor the one before the next vector's first.
[[gnu::always_inline]] inline __m512 conv2d_inputs(const float* x, std::int64_t at, std::int64_t width,
                                                   std::int64_t stride, bool inside) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  if (stride == 1) {
    if (inside) return _mm512_loadu_ps(x + at);
    const __m512i index = _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(at)));
    return _mm512_maskz_loadu_ps(conv2d_inside(index, width), x + at);
  }
  if (stride == 2) {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    __m512 low, high;
    if (inside) {
      low = _mm512_loadu_ps(x + at);
      high = _mm512_loadu_ps(x + at + 16);
    } else {
      const __m512i index = _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(at)));
      low = _mm512_maskz_loadu_ps(conv2d_inside(index, width), x + at);
      high = _mm512_maskz_loadu_ps(conv2d_inside(_mm512_add_epi32(index, _mm512_set1_epi32(16)), width),
                                   x + at + 16);
    }
    return _mm512_permutex2var_ps(low, even, high);
  }
  const __m512i index =
      _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(static_cast<int>(stride))),
                       _mm512_set1_epi32(static_cast<int>(at)));
  return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), conv2d_inside(index, width), index, x, 4);
}

// Outputs j.. of row i of planes o.. of example b.
[[gnu::always_inline]] inline void conv2d_tile(const Conv2dArguments<float>& a, std::int64_t b,
                                               std::int64_t o, std::int64_t i, std::int64_t j,
                                               const int planes, const int vectors) {
  __m512 sums[4][4];
  IMU2MUSIC_UNROLL
  for (int p = 0; p < planes; ++p) {
    const __m512 bias = _mm512_set1_ps(a.bias != nullptr ? a.bias[o + p] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) sums[p][w] = bias;
  }
  const std::int64_t weights = a.C * a.kernel_h * a.kernel_w;  // of one output plane
  const std::int64_t row = i * a.stride_h - a.pad_h, column = j * a.stride_w - a.pad_w;
  const bool inside = column >= 0 && column + a.kernel_w - 1 + 16 * vectors * a.stride_w <= a.W;
  const std::int64_t u_begin = row < 0 ? -row : 0;
  const std::int64_t u_end = a.H - row < a.kernel_h ? a.H - row : a.kernel_h;
  for (std::int64_t c = 0; c < a.C; ++c)
    for (std::int64_t u = u_begin; u < u_end; ++u) {
      const float* x = a.x + ((b * a.C + c) * a.H + row + u) * a.W;
      const float* weight = a.w + ((o * a.C + c) * a.kernel_h + u) * a.kernel_w;
      for (std::int64_t v = 0; v < a.kernel_w; ++v) {
        __m512 inputs[4];
        IMU2MUSIC_UNROLL
        for (int w = 0; w < vectors; ++w)
          inputs[w] = conv2d_inputs(x, column + v + 16 * w * a.stride_w, a.W, a.stride_w, inside);
        IMU2MUSIC_UNROLL
        for (int p = 0; p < planes; ++p) {
          const __m512 factor = _mm512_set1_ps(weight[p * weights + v]);
          IMU2MUSIC_UNROLL
          for (int w = 0; w < vectors; ++w) sums[p][w] = _mm512_fmadd_ps(factor, inputs[w], sums[p][w]);
        }
      }
    }
  const std::int64_t left = a.out_w - j;
  IMU2MUSIC_UNROLL
  for (int p = 0; p < planes; ++p) {
    float* y = a.y + ((b * a.O + o + p) * a.out_h + i) * a.out_w + j;
    const __m512 scale = _mm512_set1_ps(a.scale != nullptr ? a.scale[o + p] : 1.0f);
    const __m512 shift = _mm512_set1_ps(a.scale != nullptr && a.shift != nullptr ? a.shift[o + p] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      __m512 result = sums[p][w];
      if (a.scale != nullptr) result = _mm512_fmadd_ps(result, scale, shift);
      _mm512_mask_storeu_ps(y + 16 * w, lanes_left(left > 16 * w ? left - 16 * w : 0),
                            activate(result, a.activation, a.slope));
    }
  }
}

// Outputs j.. of row i of planes o_begin..o_end of example b: all planes look at the same inputs, which stay
// in the cache meanwhile.
[[gnu::always_inline]] inline void conv2d_column(const Conv2dArguments<float>& a, std::int64_t b,
                                                 std::int64_t o_begin, std::int64_t o_end, std::int64_t i,
                                                 std::int64_t j, const int vectors) {
  std::int64_t o = o_begin;
  for (; o + 4 <= o_end; o += 4) conv2d_tile(a, b, o, i, j, 4, vectors);
  const std::int64_t left = o_end - o;
  if (left == 3) conv2d_tile(a, b, o, i, j, 3, vectors);
  if (left == 2) conv2d_tile(a, b, o, i, j, 2, vectors);
  if (left == 1) conv2d_tile(a, b, o, i, j, 1, vectors);
}

// Channels c_begin..c_end of outputs j + at.. of planes o.. of example b. Sums stand in y from one stretch of
// channels to the next.
[[gnu::always_inline]] inline void conv2d_line_tile(const Conv2dArguments<float>& a, const Conv2dLine& line,
                                                    const float* panel, std::int64_t b, std::int64_t o,
                                                    std::int64_t j, std::int64_t at, std::int64_t c_begin,
                                                    std::int64_t c_end, const int planes, const int vectors) {
  const std::int64_t left = line.out - j - at;
  __mmask16 lanes[4];
  __m512 sums[4][4];
  IMU2MUSIC_UNROLL
  for (int w = 0; w < vectors; ++w) lanes[w] = lanes_left(left > 16 * w ? left - 16 * w : 0);
  const std::int64_t weights = a.C * line.taps;  // of one output plane
  IMU2MUSIC_UNROLL
  for (int p = 0; p < planes; ++p) {
    const float* y = a.y + (b * a.O + o + p) * line.out + j + at;
    const __m512 bias = _mm512_set1_ps(a.bias != nullptr ? a.bias[o + p] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w)
      sums[p][w] = c_begin == 0 ? bias : _mm512_maskz_loadu_ps(lanes[w], y + 16 * w);
  }
  const float* weight = a.w + o * weights + c_begin * line.taps;
  const float* x = panel + at;
  for (std::int64_t c = c_begin; c < c_end; ++c, x += line.width)
    for (std::int64_t v = 0; v < line.taps; ++v, ++weight) {
      __m512 inputs[4];
      IMU2MUSIC_UNROLL
      for (int w = 0; w < vectors; ++w) inputs[w] = _mm512_loadu_ps(x + line.offset[v] + 16 * w);
      IMU2MUSIC_UNROLL
      for (int p = 0; p < planes; ++p) {
        const __m512 factor = _mm512_set1_ps(weight[p * weights]);
        IMU2MUSIC_UNROLL
        for (int w = 0; w < vectors; ++w) sums[p][w] = _mm512_fmadd_ps(factor, inputs[w], sums[p][w]);
      }
    }
  IMU2MUSIC_UNROLL
  for (int p = 0; p < planes; ++p) {
    float* y = a.y + (b * a.O + o + p) * line.out + j + at;
    const __m512 scale = _mm512_set1_ps(a.scale != nullptr ? a.scale[o + p] : 1.0f);
    const __m512 shift = _mm512_set1_ps(a.scale != nullptr && a.shift != nullptr ? a.shift[o + p] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      __m512 result = sums[p][w];
      if (c_end == a.C) {
        if (a.scale != nullptr) result = _mm512_fmadd_ps(result, scale, shift);
        result = activate(result, a.activation, a.slope);
      }
      _mm512_mask_storeu_ps(y + 16 * w, lanes[w], result);
    }
  }
}

[[gnu::always_inline]] inline void conv2d_line_vectors(const Conv2dArguments<float>& a,
                                                       const Conv2dLine& line, const float* panel,
                                                       std::int64_t b, std::int64_t o_begin,
                                                       std::int64_t o_end, std::int64_t j, std::int64_t at,
                                                       std::int64_t c_begin, std::int64_t c_end,
                                                       const int vectors) {
  std::int64_t o = o_begin;
  for (; o + 4 <= o_end; o += 4) conv2d_line_tile(a, line, panel, b, o, j, at, c_begin, c_end, 4, vectors);
  const std::int64_t left = o_end - o;
  if (left == 3) conv2d_line_tile(a, line, panel, b, o, j, at, c_begin, c_end, 3, vectors);
  if (left == 2) conv2d_line_tile(a, line, panel, b, o, j, at, c_begin, c_end, 2, vectors);
  if (left == 1) conv2d_line_tile(a, line, panel, b, o, j, at, c_begin, c_end, 1, vectors);
}

// Planes o_begin..o_end of example b, along a line.
[[gnu::noinline]] inline void conv2d_line_planes(const Conv2dArguments<float>& a, const Conv2dLine& line,
                                                 std::int64_t b, std::int64_t o_begin, std::int64_t o_end) {
  alignas(64) float panel[Conv2dLine::most];
  const std::int64_t channels = Conv2dLine::most / line.width;
  for (std::int64_t j = 0; j < line.out; j += Conv2dLine::outputs)
    for (std::int64_t c = 0; c < a.C; c += channels) {
      const std::int64_t c_end = a.C - c < channels ? a.C : c + channels;
      conv2d_line_panel(a, line, b, j, c, c_end, panel);
      const std::int64_t left = line.out - j;
      if (left > 48)
        conv2d_line_vectors(a, line, panel, b, o_begin, o_end, j, 0, c, c_end, 4);
      else if (left > 32)
        conv2d_line_vectors(a, line, panel, b, o_begin, o_end, j, 0, c, c_end, 3);
      else if (left > 16)
        conv2d_line_vectors(a, line, panel, b, o_begin, o_end, j, 0, c, c_end, 2);
      else
        conv2d_line_vectors(a, line, panel, b, o_begin, o_end, j, 0, c, c_end, 1);
    }
}

inline void conv2d_planes(const Conv2dArguments<float>& a, std::int64_t plane_begin, std::int64_t plane_end) {
  Conv2dLine line;
  const bool along = conv2d_line(a, line);
  for (std::int64_t plane = plane_begin; plane < plane_end;) {
    const std::int64_t b = plane / a.O, o = plane % a.O;
    const std::int64_t planes = plane_end - plane < a.O - o ? plane_end - plane : a.O - o;
    if (along) conv2d_line_planes(a, line, b, o, o + planes);
    for (std::int64_t i = along ? a.out_h : 0; i < a.out_h; ++i)
      for (std::int64_t j = 0; j < a.out_w;) {
        const std::int64_t left = a.out_w - j;
        if (left > 48) {
          conv2d_column(a, b, o, o + planes, i, j, 4);
          j += 64;
        } else if (left > 16) {
          conv2d_column(a, b, o, o + planes, i, j, 2);
          j += 32;
        } else {
          conv2d_column(a, b, o, o + planes, i, j, 1);
          j += 16;
        }
      }
    plane += planes;
  }
}

inline void conv2d_forward(const Context&, const Conv2dArguments<float>& arguments, std::int64_t plane_begin,
                           std::int64_t plane_end) {
  conv2d_planes(arguments, plane_begin, plane_end);
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, Conv2dKernels<float>& table) { table.forward = &avx512::conv2d_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
