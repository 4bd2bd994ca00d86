// The gradient of the softmax-weighted mean, AVX2 and FMA: lanes lie along n, each sums over s in rising
// order.
#pragma once

#include "../softmax_pool_backward_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// Eight elements of y from n on, or those of `lanes`. dv holds the weights until their sum is known.
[[gnu::always_inline]] inline void softmax_pool_gradients(const SoftmaxPoolBackwardArguments<float>& a,
                                                          std::int64_t n, __m256i lanes, const bool all) {
  const std::int64_t end = a.S * a.N;
  __m256 maximum = load_lanes(a.scores + n, lanes, all);
  for (std::int64_t s = a.N; s < end; s += a.N)
    maximum = _mm256_max_ps(load_lanes(a.scores + s + n, lanes, all), maximum);
  __m256 sum = _mm256_setzero_ps();
  for (std::int64_t s = 0; s < end; s += a.N) {
    const __m256 weight = exponential(_mm256_sub_ps(load_lanes(a.scores + s + n, lanes, all), maximum));
    store_lanes(a.dv + s + n, lanes, weight, all);
    sum = _mm256_add_ps(sum, weight);
  }
  const __m256 scale = _mm256_div_ps(load_lanes(a.dy + n, lanes, all), sum);
  const __m256 y = load_lanes(a.y + n, lanes, all);
  for (std::int64_t s = 0; s < end; s += a.N) {
    const __m256 dv = _mm256_mul_ps(load_lanes(a.dv + s + n, lanes, all), scale);
    store_lanes(a.dv + s + n, lanes, dv, all);
    store_lanes(a.dscores + s + n, lanes,
                _mm256_mul_ps(dv, _mm256_sub_ps(load_lanes(a.v + s + n, lanes, all), y)), all);
  }
}

inline void softmax_pool_backward(const Context&, const SoftmaxPoolBackwardArguments<float>& a,
                                  std::int64_t n_begin, std::int64_t n_end) {
  std::int64_t n = n_begin;
  for (; n + 8 <= n_end; n += 8) softmax_pool_gradients(a, n, _mm256_setzero_si256(), true);
  if (n < n_end) softmax_pool_gradients(a, n, tail_mask(n_end - n), false);
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, SoftmaxPoolBackwardKernels<float>& table) {
  table.backward = &avx2::softmax_pool_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
