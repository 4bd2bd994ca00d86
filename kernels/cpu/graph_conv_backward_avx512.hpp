// The gradient of graph convolution in the weights, AVX-512: as the AVX2 column, in blocks of 8 rows by up to
// three vectors of nodes.
#pragma once

#include "../graph_conv_backward_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// Rows row.. and nodes w.. of dA, over `frames` frames from `first` of entry n on. rows in {1, 4, 8} and
// vectors in 1..3 are constants at every call.
[[gnu::always_inline]] inline void graph_conv_weight_block(const GraphConvBackwardArguments<float>& a,
                                                           std::int64_t n, std::int64_t first,
                                                           std::int64_t frames, std::int64_t row,
                                                           std::int64_t w, const int rows,
                                                           const int vectors) {
  const std::int64_t V = a.V;
  const __mmask16 last = lanes_left(V - w - 16 * (vectors - 1));
  const float* x[8];
  __m512 sums[8][3];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    x[r] = a.x + ((n * a.K + (row + r) / V) * a.frames + first) * V + (row + r) % V;
    IMU2MUSIC_UNROLL
    for (int j = 0; j < vectors; ++j) sums[r][j] = _mm512_setzero_ps();
  }
  const float* dy = a.dy + (n * a.frames + first) * V + w;
  for (std::int64_t t = 0; t < frames * V; t += V) {
    __m512 gradients[3];
    IMU2MUSIC_UNROLL
    for (int j = 0; j < vectors; ++j)
      gradients[j] =
          j + 1 < vectors ? _mm512_loadu_ps(dy + t + 16 * j) : _mm512_maskz_loadu_ps(last, dy + t + 16 * j);
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) {
      const __m512 xv = _mm512_set1_ps(x[r][t]);
      IMU2MUSIC_UNROLL
      for (int j = 0; j < vectors; ++j) sums[r][j] = _mm512_fmadd_ps(xv, gradients[j], sums[r][j]);
    }
  }
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    IMU2MUSIC_UNROLL
    for (int j = 0; j < vectors; ++j) {
      const __mmask16 lanes = j + 1 < vectors ? static_cast<__mmask16>(0xffff) : last;
      float* dA = a.dA + (row + r) * V + w + 16 * j;
      _mm512_mask_storeu_ps(dA, lanes, _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, dA), sums[r][j]));
    }
  }
}

// All nodes w of a few rows.
[[gnu::always_inline]] inline void graph_conv_weight_rows(const GraphConvBackwardArguments<float>& a,
                                                          std::int64_t n, std::int64_t first,
                                                          std::int64_t frames, std::int64_t row,
                                                          const int rows) {
  std::int64_t w = 0;
  while (w < a.V) {
    const std::int64_t vectors = (a.V - w + 15) / 16;
    if (vectors == 1) {
      graph_conv_weight_block(a, n, first, frames, row, w, rows, 1);
      w += 16;
    } else if (vectors == 2 || vectors == 4) {
      graph_conv_weight_block(a, n, first, frames, row, w, rows, 2);
      w += 32;
    } else {
      graph_conv_weight_block(a, n, first, frames, row, w, rows, 3);
      w += 48;
    }
  }
}

inline void graph_conv_backward_weight(const Context&, const GraphConvBackwardArguments<float>& a,
                                       std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t n = 0; n < a.N; ++n)
    for (std::int64_t first = 0; first < a.frames; first += graph_conv_stretch) {
      const std::int64_t left = a.frames - first;
      const std::int64_t frames = left < graph_conv_stretch ? left : graph_conv_stretch;
      std::int64_t row = row_begin;
      for (; row + 8 <= row_end; row += 8) graph_conv_weight_rows(a, n, first, frames, row, 8);
      for (; row + 4 <= row_end; row += 4) graph_conv_weight_rows(a, n, first, frames, row, 4);
      for (; row < row_end; ++row) graph_conv_weight_rows(a, n, first, frames, row, 1);
    }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, GraphConvBackwardKernels<float>& table) {
  table.weight = &avx512::graph_conv_backward_weight;
}

}  // namespace imu2music::inline v0::kernels
#endif
