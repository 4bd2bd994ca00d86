// The mean along the last axis, AVX2. Two vectors of sums take turns, so that one need not wait
// for the other; the order of a sum depends on K alone.
#pragma once

#include "../mean_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

inline void mean_forward(const Context&, const float* x, float* y, std::int64_t n_begin, std::int64_t n_end,
                         std::int64_t K) {
  for (std::int64_t n = n_begin; n < n_end; ++n) {
    const float* row = x + n * K;
    __m256 a = _mm256_setzero_ps(), b = _mm256_setzero_ps();
    std::int64_t k = 0;
    for (; k + 16 <= K; k += 16) {
      a = _mm256_add_ps(a, _mm256_loadu_ps(row + k));
      b = _mm256_add_ps(b, _mm256_loadu_ps(row + k + 8));
    }
    if (k + 8 <= K) {
      a = _mm256_add_ps(a, _mm256_loadu_ps(row + k));
      k += 8;
    }
    if (k < K) b = _mm256_add_ps(b, _mm256_maskload_ps(row + k, tail_mask(K - k)));
    y[n] = horizontal_sum(_mm256_add_ps(a, b)) / static_cast<float>(K);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, MeanKernels<float>& table) { table.forward = &avx2::mean_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
