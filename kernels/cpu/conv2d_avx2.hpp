// Two-dimensional cross-correlation, AVX2 and FMA.
//
// Lanes run along the output's width; a tile of up to four planes by two vectors stands in registers while
// the weights go by, so that planes share the loads of x. A stride of 2 takes the even lanes of two loads,
// any other is gathered. Each output adds its products in the order of c, u, v, whatever the planes asked
// for.
#pragma once

#include "../conv2d_table.hpp"
#include "conv2d_line.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// The lanes whose index lies in 0..count.
inline __m256i conv2d_inside(__m256i index, std::int64_t count) {
  return _mm256_and_si256(_mm256_cmpgt_epi32(index, _mm256_set1_epi32(-1)),
                          _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), index));
}

// 8 inputs, `stride` apart from position `at` of a row of `width` numbers on, 0 outside it. `inside`: none is
// outside, nor the one before the next vector's first.
[[gnu::always_inline]] inline __m256 conv2d_inputs(const float* x, std::int64_t at, std::int64_t width,
                                                   std::int64_t stride, bool inside) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  if (stride == 1) {
    if (inside) return _mm256_loadu_ps(x + at);
    const __m256i index = _mm256_add_epi32(lane, _mm256_set1_epi32(static_cast<int>(at)));
    return _mm256_maskload_ps(x + at, conv2d_inside(index, width));
  }
  if (stride == 2) {
    __m256 low, high;
    if (inside) {
      low = _mm256_loadu_ps(x + at);
      high = _mm256_loadu_ps(x + at + 8);
    } else {
      const __m256i index = _mm256_add_epi32(lane, _mm256_set1_epi32(static_cast<int>(at)));
      low = _mm256_maskload_ps(x + at, conv2d_inside(index, width));
      high =
          _mm256_maskload_ps(x + at + 8, conv2d_inside(_mm256_add_epi32(index, _mm256_set1_epi32(8)), width));
    }
    return _mm256_castpd_ps(
        _mm256_permute4x64_pd(_mm256_castps_pd(_mm256_shuffle_ps(low, high, 0x88)), 0xd8));
  }
  const __m256i index =
      _mm256_add_epi32(_mm256_mullo_epi32(lane, _mm256_set1_epi32(static_cast<int>(stride))),
                       _mm256_set1_epi32(static_cast<int>(at)));
  return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), x, index,
                                  _mm256_castsi256_ps(conv2d_inside(index, width)), 4);
}

// Outputs j.. of row i of planes o.. of example b.
[[gnu::always_inline]] inline void conv2d_tile(const Conv2dArguments<float>& a, std::int64_t b,
                                               std::int64_t o, std::int64_t i, std::int64_t j,
                                               const int planes, const int vectors) {
  __m256 sums[4][2];
  IMU2MUSIC_UNROLL
  for (int p = 0; p < planes; ++p) {
    const __m256 bias = _mm256_set1_ps(a.bias != nullptr ? a.bias[o + p] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) sums[p][w] = bias;
  }
  const std::int64_t weights = a.C * a.kernel_h * a.kernel_w;  // of one output plane
  const std::int64_t row = i * a.stride_h - a.pad_h, column = j * a.stride_w - a.pad_w;
  const bool inside = column >= 0 && column + a.kernel_w - 1 + 8 * vectors * a.stride_w <= a.W;
  const std::int64_t u_begin = row < 0 ? -row : 0;
  const std::int64_t u_end = a.H - row < a.kernel_h ? a.H - row : a.kernel_h;
  for (std::int64_t c = 0; c < a.C; ++c)
    for (std::int64_t u = u_begin; u < u_end; ++u) {
      const float* x = a.x + ((b * a.C + c) * a.H + row + u) * a.W;
      const float* weight = a.w + ((o * a.C + c) * a.kernel_h + u) * a.kernel_w;
      for (std::int64_t v = 0; v < a.kernel_w; ++v) {
        __m256 inputs[2];
        IMU2MUSIC_UNROLL
        for (int w = 0; w < vectors; ++w)
          inputs[w] = conv2d_inputs(x, column + v + 8 * w * a.stride_w, a.W, a.stride_w, inside);
        IMU2MUSIC_UNROLL
        for (int p = 0; p < planes; ++p) {
          const __m256 factor = _mm256_set1_ps(weight[p * weights + v]);
          IMU2MUSIC_UNROLL
          for (int w = 0; w < vectors; ++w) sums[p][w] = _mm256_fmadd_ps(factor, inputs[w], sums[p][w]);
        }
      }
    }
  const std::int64_t left = a.out_w - j;
  IMU2MUSIC_UNROLL
  for (int p = 0; p < planes; ++p) {
    float* y = a.y + ((b * a.O + o + p) * a.out_h + i) * a.out_w + j;
    const __m256 scale = _mm256_set1_ps(a.scale != nullptr ? a.scale[o + p] : 1.0f);
    const __m256 shift = _mm256_set1_ps(a.scale != nullptr && a.shift != nullptr ? a.shift[o + p] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      __m256 result = sums[p][w];
      if (a.scale != nullptr) result = _mm256_fmadd_ps(result, scale, shift);
      const __m256 active = activate(result, a.activation, a.slope);
      if (left >= 8 * (w + 1))
        _mm256_storeu_ps(y + 8 * w, active);
      else
        _mm256_maskstore_ps(y + 8 * w, tail_mask(left > 8 * w ? left - 8 * w : 0), active);
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
  __m256i lanes[2];
  __m256 sums[4][2];
  IMU2MUSIC_UNROLL
  for (int w = 0; w < vectors; ++w) {
    const std::int64_t count = left - 8 * w;
    lanes[w] = tail_mask(count > 8 ? 8 : count > 0 ? count : 0);
  }
  const std::int64_t weights = a.C * line.taps;  // of one output plane
  IMU2MUSIC_UNROLL
  for (int p = 0; p < planes; ++p) {
    const float* y = a.y + (b * a.O + o + p) * line.out + j + at;
    const __m256 bias = _mm256_set1_ps(a.bias != nullptr ? a.bias[o + p] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w)
      sums[p][w] = c_begin == 0 ? bias : _mm256_maskload_ps(y + 8 * w, lanes[w]);
  }
  const float* weight = a.w + o * weights + c_begin * line.taps;
  const float* x = panel + at;
  for (std::int64_t c = c_begin; c < c_end; ++c, x += line.width)
    for (std::int64_t v = 0; v < line.taps; ++v, ++weight) {
      __m256 inputs[2];
      IMU2MUSIC_UNROLL
      for (int w = 0; w < vectors; ++w) inputs[w] = _mm256_loadu_ps(x + line.offset[v] + 8 * w);
      IMU2MUSIC_UNROLL
      for (int p = 0; p < planes; ++p) {
        const __m256 factor = _mm256_set1_ps(weight[p * weights]);
        IMU2MUSIC_UNROLL
        for (int w = 0; w < vectors; ++w) sums[p][w] = _mm256_fmadd_ps(factor, inputs[w], sums[p][w]);
      }
    }
  IMU2MUSIC_UNROLL
  for (int p = 0; p < planes; ++p) {
    float* y = a.y + (b * a.O + o + p) * line.out + j + at;
    const __m256 scale = _mm256_set1_ps(a.scale != nullptr ? a.scale[o + p] : 1.0f);
    const __m256 shift = _mm256_set1_ps(a.scale != nullptr && a.shift != nullptr ? a.shift[o + p] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      __m256 result = sums[p][w];
      if (c_end == a.C) {
        if (a.scale != nullptr) result = _mm256_fmadd_ps(result, scale, shift);
        result = activate(result, a.activation, a.slope);
      }
      _mm256_maskstore_ps(y + 8 * w, lanes[w], result);
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
      for (std::int64_t at = 0; at < Conv2dLine::outputs && j + at < line.out; at += 16)
        if (line.out - j - at > 8)
          conv2d_line_vectors(a, line, panel, b, o_begin, o_end, j, at, c, c_end, 2);
        else
          conv2d_line_vectors(a, line, panel, b, o_begin, o_end, j, at, c, c_end, 1);
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
        if (left > 8) {
          conv2d_column(a, b, o, o + planes, i, j, 2);
          j += 16;
        } else {
          conv2d_column(a, b, o, o + planes, i, j, 1);
          j += 8;
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
}  // namespace avx2

inline void install(Avx2Tag, Conv2dKernels<float>& table) { table.forward = &avx2::conv2d_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
