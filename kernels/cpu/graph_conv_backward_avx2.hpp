// The gradient of graph convolution in the weights, AVX2 and FMA: lanes lie along the nodes w, and a block of
// 6 rows of dA by two vectors shares the loads of dy. Within a stretch each element has one accumulator, over
// the frames in rising order, whatever block it is in.
#pragma once

#include "../graph_conv_backward_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// Rows row.. and nodes w.. of dA, over `frames` frames from `first` of entry n on. rows in {1, 3, 6} and
// vectors in {1, 2} are constants at every call; the last vector holds the lanes of `last`.
[[gnu::always_inline]] inline void graph_conv_weight_block(const GraphConvBackwardArguments<float>& a,
                                                           std::int64_t n, std::int64_t first,
                                                           std::int64_t frames, std::int64_t row,
                                                           std::int64_t w, __m256i last, const int rows,
                                                           const int vectors) {
  const std::int64_t V = a.V;
  const float* x[6];
  __m256 sums[6][2];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    x[r] = a.x + ((n * a.K + (row + r) / V) * a.frames + first) * V + (row + r) % V;
    IMU2MUSIC_UNROLL
    for (int j = 0; j < vectors; ++j) sums[r][j] = _mm256_setzero_ps();
  }
  const float* dy = a.dy + (n * a.frames + first) * V + w;
  for (std::int64_t t = 0; t < frames * V; t += V) {
    __m256 gradients[2];
    IMU2MUSIC_UNROLL
    for (int j = 0; j < vectors; ++j) gradients[j] = load_lanes(dy + t + 8 * j, last, j + 1 < vectors);
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) {
      const __m256 xv = _mm256_broadcast_ss(x[r] + t);
      IMU2MUSIC_UNROLL
      for (int j = 0; j < vectors; ++j) sums[r][j] = _mm256_fmadd_ps(xv, gradients[j], sums[r][j]);
    }
  }
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    IMU2MUSIC_UNROLL
    for (int j = 0; j < vectors; ++j) {
      float* dA = a.dA + (row + r) * V + w + 8 * j;
      store_lanes(dA, last, _mm256_add_ps(load_lanes(dA, last, j + 1 < vectors), sums[r][j]),
                  j + 1 < vectors);
    }
  }
}

// All nodes w of a few rows.
[[gnu::always_inline]] inline void graph_conv_weight_rows(const GraphConvBackwardArguments<float>& a,
                                                          std::int64_t n, std::int64_t first,
                                                          std::int64_t frames, std::int64_t row,
                                                          const int rows) {
  for (std::int64_t w = 0; w < a.V; w += 16) {
    const std::int64_t left = a.V - w;
    if (left > 8)
      graph_conv_weight_block(a, n, first, frames, row, w, tail_mask(left < 16 ? left - 8 : 8), rows, 2);
    else
      graph_conv_weight_block(a, n, first, frames, row, w, tail_mask(left), rows, 1);
  }
}

inline void graph_conv_backward_weight(const Context&, const GraphConvBackwardArguments<float>& a,
                                       std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t n = 0; n < a.N; ++n)
    for (std::int64_t first = 0; first < a.frames; first += graph_conv_stretch) {
      const std::int64_t left = a.frames - first;
      const std::int64_t frames = left < graph_conv_stretch ? left : graph_conv_stretch;
      std::int64_t row = row_begin;
      for (; row + 6 <= row_end; row += 6) graph_conv_weight_rows(a, n, first, frames, row, 6);
      for (; row + 3 <= row_end; row += 3) graph_conv_weight_rows(a, n, first, frames, row, 3);
      for (; row < row_end; ++row) graph_conv_weight_rows(a, n, first, frames, row, 1);
    }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, GraphConvBackwardKernels<float>& table) {
  table.weight = &avx2::graph_conv_backward_weight;
}

}  // namespace imu2music::inline v0::kernels
#endif
