// A softmax-weighted mean along the first axis, AVX-512: lanes lie along n, each sums over s in rising order.
#pragma once

#include "../softmax_pool_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

inline void softmax_pool_forward(const Context&, const float* scores, const float* v, float* y,
                                 std::int64_t n_begin, std::int64_t n_end, std::int64_t S, std::int64_t N) {
  for (std::int64_t n = n_begin; n < n_end; n += 16) {
    const __mmask16 lanes = lanes_left(n_end - n);
    __m512 maximum = _mm512_maskz_loadu_ps(lanes, scores + n);
    for (std::int64_t s = 1; s < S; ++s)
      maximum = _mm512_max_ps(_mm512_maskz_loadu_ps(lanes, scores + s * N + n), maximum);
    __m512 sum = _mm512_setzero_ps(), weighted = _mm512_setzero_ps();
    for (std::int64_t s = 0; s < S; ++s) {
      const __m512 score = _mm512_maskz_loadu_ps(lanes, scores + s * N + n);
      const __m512 weight = exponential(_mm512_sub_ps(score, maximum));
      sum = _mm512_add_ps(sum, weight);
      weighted = _mm512_fmadd_ps(weight, _mm512_maskz_loadu_ps(lanes, v + s * N + n), weighted);
    }
    _mm512_mask_storeu_ps(y + n, lanes, _mm512_div_ps(weighted, sum));
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, SoftmaxPoolKernels<float>& table) {
  table.forward = &avx512::softmax_pool_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
