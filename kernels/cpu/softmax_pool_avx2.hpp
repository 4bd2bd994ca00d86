// A softmax-weighted mean along the first axis, AVX2 and FMA: lanes lie along n, each sums over s in rising
// order.
#pragma once

#include "../softmax_pool_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// Eight elements of y, or those of `lanes`; all pointers at the first of them.
[[gnu::always_inline]] inline void softmax_pool_elements(const float* scores, const float* v, float* y,
                                                         std::int64_t S, std::int64_t N, __m256i lanes,
                                                         const bool all) {
  __m256 maximum = load_lanes(scores, lanes, all);
  for (std::int64_t s = 1; s < S; ++s)
    maximum = _mm256_max_ps(load_lanes(scores + s * N, lanes, all), maximum);
  __m256 sum = _mm256_setzero_ps(), weighted = _mm256_setzero_ps();
  for (std::int64_t s = 0; s < S; ++s) {
    const __m256 weight = exponential(_mm256_sub_ps(load_lanes(scores + s * N, lanes, all), maximum));
    sum = _mm256_add_ps(sum, weight);
    weighted = _mm256_fmadd_ps(weight, load_lanes(v + s * N, lanes, all), weighted);
  }
  store_lanes(y, lanes, _mm256_div_ps(weighted, sum), all);
}

inline void softmax_pool_forward(const Context&, const float* scores, const float* v, float* y,
                                 std::int64_t n_begin, std::int64_t n_end, std::int64_t S, std::int64_t N) {
  std::int64_t n = n_begin;
  for (; n + 8 <= n_end; n += 8)
    softmax_pool_elements(scores + n, v + n, y + n, S, N, _mm256_setzero_si256(), true);
  if (n < n_end) softmax_pool_elements(scores + n, v + n, y + n, S, N, tail_mask(n_end - n), false);
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, SoftmaxPoolKernels<float>& table) {
  table.forward = &avx2::softmax_pool_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
