// The gradient of the softmax-weighted mean, AVX-512: lanes lie along n, each sums over s in rising order.
#pragma once

#include "../softmax_pool_backward_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// dv holds the weights until their sum is known.
inline void softmax_pool_backward(const Context&, const SoftmaxPoolBackwardArguments<float>& a,
                                  std::int64_t n_begin, std::int64_t n_end) {
  const std::int64_t end = a.S * a.N;
  for (std::int64_t n = n_begin; n < n_end; n += 16) {
    const __mmask16 lanes = lanes_left(n_end - n);
    __m512 maximum = _mm512_maskz_loadu_ps(lanes, a.scores + n);
    for (std::int64_t s = a.N; s < end; s += a.N)
      maximum = _mm512_max_ps(_mm512_maskz_loadu_ps(lanes, a.scores + s + n), maximum);
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t s = 0; s < end; s += a.N) {
      const __m512 score = _mm512_maskz_loadu_ps(lanes, a.scores + s + n);
      const __m512 weight = exponential(_mm512_sub_ps(score, maximum));
      _mm512_mask_storeu_ps(a.dv + s + n, lanes, weight);
      sum = _mm512_add_ps(sum, weight);
    }
    const __m512 scale = _mm512_div_ps(_mm512_maskz_loadu_ps(lanes, a.dy + n), sum);
    const __m512 y = _mm512_maskz_loadu_ps(lanes, a.y + n);
    for (std::int64_t s = 0; s < end; s += a.N) {
      const __m512 dv = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, a.dv + s + n), scale);
      const __m512 v = _mm512_maskz_loadu_ps(lanes, a.v + s + n);
      _mm512_mask_storeu_ps(a.dv + s + n, lanes, dv);
      _mm512_mask_storeu_ps(a.dscores + s + n, lanes, _mm512_mul_ps(dv, _mm512_sub_ps(v, y)));
    }
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, SoftmaxPoolBackwardKernels<float>& table) {
  table.backward = &avx512::softmax_pool_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
