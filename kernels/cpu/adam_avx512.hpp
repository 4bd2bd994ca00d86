// Adam, AVX-512.
#pragma once

#include "../adam_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

inline void adam_step(const Context&, const AdamArguments<float>& a, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; i += 16) {
    const __mmask16 lanes = lanes_left(end - i);
    const __m512 w = _mm512_mul_ps(_mm512_set1_ps(a.weight), _mm512_maskz_loadu_ps(lanes, a.parameter + i));
    const __m512 g =
        _mm512_fmadd_ps(_mm512_set1_ps(a.gradient_scale), _mm512_maskz_loadu_ps(lanes, a.gradient + i),
                        _mm512_mul_ps(_mm512_set1_ps(a.gradient_decay), w));
    __m512 m = _mm512_maskz_loadu_ps(lanes, a.first_moment + i);
    __m512 v = _mm512_maskz_loadu_ps(lanes, a.second_moment + i);
    m = _mm512_fmadd_ps(_mm512_set1_ps(a.one_minus_beta1), _mm512_sub_ps(g, m), m);
    v = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_set1_ps(a.one_minus_beta2), g), g,
                        _mm512_mul_ps(_mm512_set1_ps(a.beta2), v));
    const __m512 root =
        _mm512_fmadd_ps(_mm512_set1_ps(a.inverse_root), _mm512_sqrt_ps(v), _mm512_set1_ps(a.eps));
    _mm512_mask_storeu_ps(a.first_moment + i, lanes, m);
    _mm512_mask_storeu_ps(a.second_moment + i, lanes, v);
    _mm512_mask_storeu_ps(
        a.parameter + i, lanes,
        _mm512_sub_ps(w, _mm512_div_ps(_mm512_mul_ps(_mm512_set1_ps(a.step_size), m), root)));
  }
}

inline void sums_of_squares(const Context&, const float* x, double* sums, std::int64_t count,
                            std::int64_t stretch_begin, std::int64_t stretch_end) {
  for (std::int64_t stretch = stretch_begin; stretch < stretch_end; ++stretch) {
    const std::int64_t begin = stretch * square_stretch;
    const std::int64_t end = begin + square_stretch < count ? begin + square_stretch : count;
    __m512d low_parts = _mm512_setzero_pd(), high_parts = _mm512_setzero_pd();
    for (std::int64_t i = begin; i < end; i += 16) {
      const __m512 values = _mm512_maskz_loadu_ps(lanes_left(end - i), x + i);
      const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(values));
      const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(values, 1));
      low_parts = _mm512_fmadd_pd(low, low, low_parts);
      high_parts = _mm512_fmadd_pd(high, high, high_parts);
    }
    const __m512d eight = _mm512_add_pd(low_parts, high_parts);
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    sums[stretch] = _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, AdamKernels<float>& table) {
  table.step = &avx512::adam_step;
  table.sums_of_squares = &avx512::sums_of_squares;
}

}  // namespace imu2music::inline v0::kernels
#endif
