// Graph convolution, AVX2 and FMA.
//
// For one n it is a product of matrices: the frames of all channels, counted together, by the nodes, summed
// over k and v. Lanes lie along the nodes w; a block of 6 frames by two vectors shares the loads of A. Each
// element has one accumulator, over k and then v in rising order, whatever block it is in.
#pragma once

#include "../graph_conv_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// Frames frame.. and nodes w.. of y; x and y point at the first frame of one n. rows in {1, 6} and vectors in
// {1, 2} are constants at every call; the last vector holds the lanes of `last`.
[[gnu::always_inline]] inline void graph_conv_block(const GraphConvArguments<float>& a, const float* x,
                                                    float* y, std::int64_t frame, std::int64_t w,
                                                    __m256i last, const int rows, const int vectors) {
  __m256 sums[6][2];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    IMU2MUSIC_UNROLL
    for (int j = 0; j < vectors; ++j) sums[r][j] = _mm256_setzero_ps();
  }
  const std::int64_t V = a.V;
  const float* A = a.A + w;
  for (std::int64_t k = 0; k < a.K; ++k) {
    const float* xk = x + (k * a.C * a.frames + frame) * V;
    for (std::int64_t v = 0; v < V; ++v, A += V) {
      __m256 weights[2];
      IMU2MUSIC_UNROLL
      for (int j = 0; j < vectors; ++j) weights[j] = load_lanes(A + 8 * j, last, j + 1 < vectors);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < rows; ++r) {
        const __m256 xv = _mm256_broadcast_ss(xk + r * V + v);
        IMU2MUSIC_UNROLL
        for (int j = 0; j < vectors; ++j) sums[r][j] = _mm256_fmadd_ps(xv, weights[j], sums[r][j]);
      }
    }
  }
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    const std::int64_t c = (frame + r) / a.frames;
    const __m256 scale = _mm256_set1_ps(a.scale != nullptr ? a.scale[c] : 1.0f);
    const __m256 shift = _mm256_set1_ps(a.scale != nullptr && a.shift != nullptr ? a.shift[c] : 0.0f);
    IMU2MUSIC_UNROLL
    for (int j = 0; j < vectors; ++j)
      store_lanes(y + (frame + r) * V + w + 8 * j, last,
                  activate(_mm256_fmadd_ps(sums[r][j], scale, shift), a.activation, a.slope),
                  j + 1 < vectors);
  }
}

// Frames begin..end.
[[gnu::always_inline]] inline void graph_conv_frames(const GraphConvArguments<float>& a, const float* x,
                                                     float* y, std::int64_t begin, std::int64_t end,
                                                     std::int64_t w, __m256i last, const int vectors) {
  std::int64_t frame = begin;
  for (; frame + 6 <= end; frame += 6) graph_conv_block(a, x, y, frame, w, last, 6, vectors);
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
    constexpr std::int64_t chunk = 60;
    for (std::int64_t frame = (plane_begin - first) * a.frames; frame < end; frame += chunk) {
      const std::int64_t chunk_end = frame + chunk < end ? frame + chunk : end;
      for (std::int64_t w = 0; w < a.V; w += 16) {
        const std::int64_t left = a.V - w;
        if (left > 8)
          graph_conv_frames(a, x, y, frame, chunk_end, w, tail_mask(left < 16 ? left - 8 : 8), 2);
        else
          graph_conv_frames(a, x, y, frame, chunk_end, w, tail_mask(left), 1);
      }
    }
    plane_begin = stop;
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, GraphConvKernels<float>& table) { table.forward = &avx2::graph_conv_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
