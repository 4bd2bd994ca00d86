// Two-dimensional cross-correlation, AVX-512.
//
// Lanes run along the output's width; a tile of up to four planes by four vectors stands in registers while
// the weights go by, so that planes share the loads of x. A stride of 2 takes the even lanes of two loads,
// any other is gathered. Each output adds its products in the order of c, u, v, whatever the planes asked
// for.
#pragma once

#include "../conv2d_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// The operands with, where a kernel of width 1 moves along the height only, the plane laid out as one row:
// neighbouring weights are then `step` inputs apart.
struct Conv2dOperands : Conv2dArguments<float> {
  std::int64_t step;
};

inline Conv2dOperands conv2d_operands(const Conv2dArguments<float>& arguments) {
  Conv2dOperands a{arguments, 1};
  if (a.kernel_w == 1 && a.stride_w == 1 && a.stride_h == 1 && a.pad_w == 0) {
    a.step = a.W;
    a.kernel_w = a.kernel_h;
    a.pad_w = a.pad_h * a.W;
    a.W *= a.H;
    a.out_w *= a.out_h;
    a.kernel_h = a.H = a.out_h = 1;
    a.pad_h = 0;
  }
  return a;
}

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
[[gnu::always_inline]] inline void conv2d_tile(const Conv2dOperands& a, std::int64_t b, std::int64_t o,
                                               std::int64_t i, std::int64_t j, const int planes,
                                               const int vectors) {
  __m512 sums[4][4];
  IMU2MUSIC_UNROLL
  for (int p = 0; p < planes; ++p) {
    const __m512 bias = _mm512_set1_ps(a.bias != nullptr ? a.bias[o + p] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) sums[p][w] = bias;
  }
  const std::int64_t weights = a.C * a.kernel_h * a.kernel_w;  // of one output plane
  const std::int64_t row = i * a.stride_h - a.pad_h, column = j * a.stride_w - a.pad_w;
  const bool inside = column >= 0 && column + (a.kernel_w - 1) * a.step + 16 * vectors * a.stride_w <= a.W;
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
          inputs[w] = conv2d_inputs(x, column + v * a.step + 16 * w * a.stride_w, a.W, a.stride_w, inside);
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

// Row i of planes o.. of example b.
[[gnu::always_inline]] inline void conv2d_row(const Conv2dOperands& a, std::int64_t b, std::int64_t o,
                                              std::int64_t i, const int planes) {
  for (std::int64_t j = 0; j < a.out_w;) {
    const std::int64_t left = a.out_w - j;
    if (left > 48) {
      conv2d_tile(a, b, o, i, j, planes, 4);
      j += 64;
    } else if (left > 16) {
      conv2d_tile(a, b, o, i, j, planes, 2);
      j += 32;
    } else {
      conv2d_tile(a, b, o, i, j, planes, 1);
      j += 16;
    }
  }
}

inline void conv2d_planes(const Conv2dOperands& a, std::int64_t plane_begin, std::int64_t plane_end) {
  for (std::int64_t plane = plane_begin; plane < plane_end;) {
    const std::int64_t b = plane / a.O, o = plane % a.O;
    std::int64_t planes = plane_end - plane < a.O - o ? plane_end - plane : a.O - o;
    if (planes > 4) planes = 4;
    for (std::int64_t i = 0; i < a.out_h; ++i) {
      if (planes == 4)
        conv2d_row(a, b, o, i, 4);
      else if (planes == 3)
        conv2d_row(a, b, o, i, 3);
      else if (planes == 2)
        conv2d_row(a, b, o, i, 2);
      else
        conv2d_row(a, b, o, i, 1);
    }
    plane += planes;
  }
}

inline void conv2d_forward(const Context&, const Conv2dArguments<float>& arguments, std::int64_t plane_begin,
                           std::int64_t plane_end) {
  conv2d_planes(conv2d_operands(arguments), plane_begin, plane_end);
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, Conv2dKernels<float>& table) { table.forward = &avx512::conv2d_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
