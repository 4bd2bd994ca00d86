// Graph convolution, AVX-512: as the AVX2 column, in blocks of 8 frames by up to three vectors of nodes.
#pragma once

#include "../graph_conv_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// Frames frame.. and nodes w.. of y; x and y point at the first frame of one n. rows in {1, 8} and vectors in
// 1..3 are constants at every call; the last vector holds the lanes of `last`.
[[gnu::always_inline]] inline void graph_conv_block(const GraphConvArguments<float>& a, const float* x,
                                                    float* y, std::int64_t frame, std::int64_t w,
                                                    __mmask16 last, const int rows, const int vectors) {
  __m512 sums[8][3];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    IMU2MUSIC_UNROLL
    for (int j = 0; j < vectors; ++j) sums[r][j] = _mm512_setzero_ps();
  }
  const std::int64_t V = a.V;
  const float* A = a.A + w;
  for (std::int64_t k = 0; k < a.K; ++k) {
    const float* xk = x + (k * a.C * a.frames + frame) * V;
    for (std::int64_t v = 0; v < V; ++v, A += V) {
      __m512 weights[3];
      IMU2MUSIC_UNROLL
      for (int j = 0; j < vectors; ++j)
        weights[j] = j + 1 < vectors ? _mm512_loadu_ps(A + 16 * j) : _mm512_maskz_loadu_ps(last, A + 16 * j);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < rows; ++r) {
        const __m512 xv = _mm512_set1_ps(xk[r * V + v]);
        IMU2MUSIC_UNROLL
        for (int j = 0; j < vectors; ++j) sums[r][j] = _mm512_fmadd_ps(xv, weights[j], sums[r][j]);
      }
    }
  }
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    const std::int64_t c = (frame + r) / a.frames;
    const __m512 scale = _mm512_set1_ps(a.scale != nullptr ? a.scale[c] : 1.0f);
    const __m512 shift = _mm512_set1_ps(a.scale != nullptr && a.shift != nullptr ? a.shift[c] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int j = 0; j < vectors; ++j)
      _mm512_mask_storeu_ps(y + (frame + r) * V + w + 16 * j,
                            j + 1 < vectors ? static_cast<__mmask16>(0xffff) : last,
                            activate(_mm512_fmadd_ps(sums[r][j], scale, shift), a.activation, a.slope));
  }
}

// Frames begin..end.
[[gnu::always_inline]] inline void graph_conv_frames(const GraphConvArguments<float>& a, const float* x,
                                                     float* y, std::int64_t begin, std::int64_t end,
                                                     std::int64_t w, const int vectors) {
  const __mmask16 last = lanes_left(a.V - w - 16 * (vectors - 1));
  std::int64_t frame = begin;
  for (; frame + 8 <= end; frame += 8) graph_conv_block(a, x, y, frame, w, last, 8, vectors);
  for (; frame < end; ++frame) graph_conv_block(a, x, y, frame, w, last, 1, vectors);
}

inline void graph_conv_forward(const Context&, const GraphConvArguments<float>& a, std::int64_t plane_begin,
                               std::int64_t plane_end) {
  const std::int64_t frames = a.C * a.frames;
  while (plane_begin < plane_end) {
    const std::int64_t n = plane_begin / a.C, first = n * a.C;
    const std::int64_t stop = plane_end < first + a.C ? plane_end : first + a.C;
    const float* x = a.x + n * a.K * frames * a.V;
    float* y = a.y + n * frames * a.V;
    const std::int64_t end = (stop - first) * a.frames;
    // A few frames stay in the cache while all nodes go by.
    constexpr std::int64_t chunk = 64;
    for (std::int64_t frame = (plane_begin - first) * a.frames; frame < end; frame += chunk) {
      const std::int64_t chunk_end = frame + chunk < end ? frame + chunk : end;
      std::int64_t w = 0;
      while (w < a.V) {
        const std::int64_t vectors = (a.V - w + 15) / 16;
        if (vectors == 1) {
          graph_conv_frames(a, x, y, frame, chunk_end, w, 1);
          w += 16;
        } else if (vectors == 2 || vectors == 4) {
          graph_conv_frames(a, x, y, frame, chunk_end, w, 2);
          w += 32;
        } else {
          graph_conv_frames(a, x, y, frame, chunk_end, w, 3);
          w += 48;
        }
      }
    }
    plane_begin = stop;
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, GraphConvKernels<float>& table) {
  table.forward = &avx512::graph_conv_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
