// The mean along the last axis, AVX-512. Two vectors of sums take turns, so that one need not wait
// for the other; the order of a sum depends on K alone.
#pragma once

#include "../mean_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

inline void mean_forward(const Context&, const float* x, float* y, std::int64_t n_begin, std::int64_t n_end,
                         std::int64_t K) {
  for (std::int64_t n = n_begin; n < n_end; ++n) {
    const float* row = x + n * K;
    __m512 a = _mm512_setzero_ps(), b = _mm512_setzero_ps();
    std::int64_t k = 0;
    for (; k + 32 <= K; k += 32) {
      a = _mm512_add_ps(a, _mm512_loadu_ps(row + k));
      b = _mm512_add_ps(b, _mm512_loadu_ps(row + k + 16));
    }
    if (k < K) a = _mm512_add_ps(a, _mm512_maskz_loadu_ps(lanes_left(K - k), row + k));
    if (k + 16 < K) b = _mm512_add_ps(b, _mm512_maskz_loadu_ps(lanes_left(K - k - 16), row + k + 16));
    y[n] = horizontal_sum(_mm512_add_ps(a, b)) / static_cast<float>(K);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, MeanKernels<float>& table) { table.forward = &avx512::mean_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
