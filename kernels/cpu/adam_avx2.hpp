// Adam, AVX2 and FMA.
#pragma once

#include "../adam_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// From a parameter, its gradient and moments to the next ones.
[[gnu::always_inline]] inline void adam_lanes(const AdamArguments<float>& a, __m256 gradient,
                                              __m256& parameter, __m256& m, __m256& v) {
  const __m256 w = _mm256_mul_ps(_mm256_set1_ps(a.weight), parameter);
  const __m256 g = _mm256_fmadd_ps(_mm256_set1_ps(a.gradient_scale), gradient,
                                   _mm256_mul_ps(_mm256_set1_ps(a.gradient_decay), w));
  m = _mm256_fmadd_ps(_mm256_set1_ps(a.one_minus_beta1), _mm256_sub_ps(g, m), m);
  v = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_set1_ps(a.one_minus_beta2), g), g,
                      _mm256_mul_ps(_mm256_set1_ps(a.beta2), v));
  const __m256 root =
      _mm256_fmadd_ps(_mm256_set1_ps(a.inverse_root), _mm256_sqrt_ps(v), _mm256_set1_ps(a.eps));
  parameter = _mm256_sub_ps(w, _mm256_div_ps(_mm256_mul_ps(_mm256_set1_ps(a.step_size), m), root));
}

inline void adam_step(const Context&, const AdamArguments<float>& a, std::int64_t begin, std::int64_t end) {
  std::int64_t i = begin;
  for (; i + 8 <= end; i += 8) {
    __m256 parameter = _mm256_loadu_ps(a.parameter + i);
    __m256 m = _mm256_loadu_ps(a.first_moment + i), v = _mm256_loadu_ps(a.second_moment + i);
    adam_lanes(a, _mm256_loadu_ps(a.gradient + i), parameter, m, v);
    _mm256_storeu_ps(a.parameter + i, parameter);
    _mm256_storeu_ps(a.first_moment + i, m);
    _mm256_storeu_ps(a.second_moment + i, v);
  }
  if (i < end) {
    const __m256i tail = tail_mask(end - i);
    __m256 parameter = _mm256_maskload_ps(a.parameter + i, tail);
    __m256 m = _mm256_maskload_ps(a.first_moment + i, tail),
           v = _mm256_maskload_ps(a.second_moment + i, tail);
    adam_lanes(a, _mm256_maskload_ps(a.gradient + i, tail), parameter, m, v);
    _mm256_maskstore_ps(a.parameter + i, tail, parameter);
    _mm256_maskstore_ps(a.first_moment + i, tail, m);
    _mm256_maskstore_ps(a.second_moment + i, tail, v);
  }
}

inline void sums_of_squares(const Context&, const float* x, double* sums, std::int64_t count,
                            std::int64_t stretch_begin, std::int64_t stretch_end) {
  for (std::int64_t stretch = stretch_begin; stretch < stretch_end; ++stretch) {
    const std::int64_t begin = stretch * square_stretch;
    const std::int64_t end = begin + square_stretch < count ? begin + square_stretch : count;
    __m256d parts[4];  // number 4 j + l in lane l of part j
    IMU2MUSIC_UNROLL
    for (int j = 0; j < 4; ++j) parts[j] = _mm256_setzero_pd();
    for (std::int64_t i = begin; i < end; i += 16) {
      IMU2MUSIC_UNROLL
      for (int half = 0; half < 2; ++half) {
        const std::int64_t left = end - i - 8 * half;
        const __m256 values = left >= 8  ? _mm256_loadu_ps(x + i + 8 * half)
                              : left > 0 ? _mm256_maskload_ps(x + i + 8 * half, tail_mask(left))
                                         : _mm256_setzero_ps();
        const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(values));
        const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(values, 1));
        parts[2 * half] = _mm256_fmadd_pd(low, low, parts[2 * half]);
        parts[2 * half + 1] = _mm256_fmadd_pd(high, high, parts[2 * half + 1]);
      }
    }
    const __m256d four = _mm256_add_pd(_mm256_add_pd(parts[0], parts[2]), _mm256_add_pd(parts[1], parts[3]));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    sums[stretch] = _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, AdamKernels<float>& table) {
  table.step = &avx2::adam_step;
  table.sums_of_squares = &avx2::sums_of_squares;
}

}  // namespace imu2music::inline v0::kernels
#endif
