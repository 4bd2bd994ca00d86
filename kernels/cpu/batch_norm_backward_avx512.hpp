// Batch normalisation in training mode, AVX-512. Differences and products are taken in float, sums in double.
#pragma once

#include "../batch_norm_backward_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// The sum of the 8 lanes, always in the same order.
inline double horizontal_sum(__m512d v) {
  const __m256d h = _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1));
  const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

// Sixteen floats in double, the first and the second eight.
inline __m512d first_in_double(__m512 v) { return _mm512_cvtps_pd(_mm512_castps512_ps256(v)); }
inline __m512d second_in_double(__m512 v) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)); }

// Adds one plane of x to two vectors of sums.
inline void sum_plane(const float* x, std::int64_t P, __m512d* sums) {
  __m512d a = sums[0], b = sums[1];
  for (std::int64_t i = 0; i < P; i += 16) {
    const __m512 v = _mm512_maskz_loadu_ps(lanes_left(P - i), x + i);
    a = _mm512_add_pd(a, first_in_double(v));
    b = _mm512_add_pd(b, second_in_double(v));
  }
  sums[0] = a, sums[1] = b;
}

// Adds d = x - center to sums 0 and 1, d^2 to 2 and 3.
inline void square_plane(const float* x, std::int64_t P, float center, __m512d* sums) {
  __m512d own[4] = {sums[0], sums[1], sums[2], sums[3]};
  const __m512 m = _mm512_set1_ps(center);
  for (std::int64_t i = 0; i < P; i += 16) {
    const __mmask16 lanes = lanes_left(P - i);
    const __m512 d = _mm512_maskz_sub_ps(lanes, _mm512_maskz_loadu_ps(lanes, x + i), m);
    const __m512d first = first_in_double(d), second = second_in_double(d);
    own[0] = _mm512_add_pd(own[0], first);
    own[1] = _mm512_add_pd(own[1], second);
    own[2] = _mm512_fmadd_pd(first, first, own[2]);
    own[3] = _mm512_fmadd_pd(second, second, own[3]);
  }
  for (int s = 0; s < 4; ++s) sums[s] = own[s];
}

inline void batch_norm_statistics(const Context&, const float* x, float* mean, float* variance,
                                  std::int64_t c_begin, std::int64_t c_end, std::int64_t B, std::int64_t C,
                                  std::int64_t P) {
  const double n = static_cast<double>(B * P);
  for (std::int64_t c = c_begin; c < c_end; ++c) {
    __m512d sums[4] = {_mm512_setzero_pd(), _mm512_setzero_pd(), _mm512_setzero_pd(), _mm512_setzero_pd()};
    for (std::int64_t b = 0; b < B; ++b) sum_plane(x + (b * C + c) * P, P, sums);
    const float center = static_cast<float>(horizontal_sum(_mm512_add_pd(sums[0], sums[1])) / n);
    sums[0] = sums[1] = _mm512_setzero_pd();
    for (std::int64_t b = 0; b < B; ++b) square_plane(x + (b * C + c) * P, P, center, sums);
    const double rest = horizontal_sum(_mm512_add_pd(sums[0], sums[1])) / n;
    mean[c] = center;
    variance[c] = static_cast<float>(horizontal_sum(_mm512_add_pd(sums[2], sums[3])) / n - rest * rest);
  }
}

// Adds dy to sums 0 and 1, dy (x - mean) to 2 and 3.
inline void product_plane(const float* dy, const float* x, std::int64_t P, float mean, __m512d* sums) {
  __m512d own[4] = {sums[0], sums[1], sums[2], sums[3]};
  const __m512 m = _mm512_set1_ps(mean);
  for (std::int64_t i = 0; i < P; i += 16) {
    const __mmask16 lanes = lanes_left(P - i);
    const __m512 g = _mm512_maskz_loadu_ps(lanes, dy + i);
    const __m512 product = _mm512_mul_ps(g, _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), m));
    own[0] = _mm512_add_pd(own[0], first_in_double(g));
    own[1] = _mm512_add_pd(own[1], second_in_double(g));
    own[2] = _mm512_add_pd(own[2], first_in_double(product));
    own[3] = _mm512_add_pd(own[3], second_in_double(product));
  }
  for (int s = 0; s < 4; ++s) sums[s] = own[s];
}

// dx = scale dy + slope (x - mean) + shift
inline void gradient_plane(const float* dy, const float* x, float* dx, std::int64_t P, float mean,
                           float scale, float slope, float shift) {
  const __m512 m = _mm512_set1_ps(mean), a = _mm512_set1_ps(scale), b = _mm512_set1_ps(slope),
               h = _mm512_set1_ps(shift);
  for (std::int64_t i = 0; i < P; i += 16) {
    const __mmask16 lanes = lanes_left(P - i);
    const __m512 affine = _mm512_fmadd_ps(b, _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), m), h);
    _mm512_mask_storeu_ps(dx + i, lanes, _mm512_fmadd_ps(a, _mm512_maskz_loadu_ps(lanes, dy + i), affine));
  }
}

inline void batch_norm_backward(const Context&, const BatchNormBackwardArguments<float>& a,
                                std::int64_t c_begin, std::int64_t c_end) {
  const double n = static_cast<double>(a.B * a.P);
  for (std::int64_t c = c_begin; c < c_end; ++c) {
    __m512d sums[4] = {_mm512_setzero_pd(), _mm512_setzero_pd(), _mm512_setzero_pd(), _mm512_setzero_pd()};
    for (std::int64_t b = 0; b < a.B; ++b) {
      const std::int64_t plane = (b * a.C + c) * a.P;
      product_plane(a.dy + plane, a.x + plane, a.P, a.mean[c], sums);
    }
    const double sum = horizontal_sum(_mm512_add_pd(sums[0], sums[1]));
    const double products = horizontal_sum(_mm512_add_pd(sums[2], sums[3]));
    const double r = 1 / __builtin_sqrt(static_cast<double>(a.variance[c]) + a.eps);
    const double gamma_r = static_cast<double>(a.gamma[c]) * r;
    if (a.dgamma != nullptr) a.dgamma[c] += static_cast<float>(products * r);
    if (a.dbeta != nullptr) a.dbeta[c] += static_cast<float>(sum);
    for (std::int64_t b = 0; b < a.B; ++b) {
      const std::int64_t plane = (b * a.C + c) * a.P;
      gradient_plane(a.dy + plane, a.x + plane, a.dx + plane, a.P, a.mean[c], static_cast<float>(gamma_r),
                     static_cast<float>(-gamma_r * r * r * products / n),
                     static_cast<float>(-gamma_r * sum / n));
    }
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, BatchNormBackwardKernels<float>& table) {
  table.statistics = &avx512::batch_norm_statistics;
  table.backward = &avx512::batch_norm_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
