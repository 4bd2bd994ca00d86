// Batch normalisation in training mode, AVX2 and FMA. Differences and products are taken in float, sums in
// double.
#pragma once

#include "../batch_norm_backward_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// The sum of the 4 lanes, always in the same order.
inline double horizontal_sum(__m256d v) {
  const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

// Eight floats in double, the first and the second four.
inline __m256d first_in_double(__m256 v) { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
inline __m256d second_in_double(__m256 v) { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }

// Adds one plane of x to two vectors of sums.
inline void sum_plane(const float* x, std::int64_t P, __m256d* sums) {
  __m256d a = sums[0], b = sums[1];
  const std::int64_t full = P & ~std::int64_t{7};
  for (std::int64_t i = 0; i < full; i += 8) {
    const __m256 v = _mm256_loadu_ps(x + i);
    a = _mm256_add_pd(a, first_in_double(v));
    b = _mm256_add_pd(b, second_in_double(v));
  }
  if (full < P) {
    const __m256 v = _mm256_maskload_ps(x + full, tail_mask(P - full));
    a = _mm256_add_pd(a, first_in_double(v));
    b = _mm256_add_pd(b, second_in_double(v));
  }
  sums[0] = a, sums[1] = b;
}

// Adds d = x - center to sums 0 and 1, d^2 to 2 and 3.
[[gnu::always_inline]] inline void add_squares(__m256 d, __m256d* sums) {
  const __m256d first = first_in_double(d), second = second_in_double(d);
  sums[0] = _mm256_add_pd(sums[0], first);
  sums[1] = _mm256_add_pd(sums[1], second);
  sums[2] = _mm256_fmadd_pd(first, first, sums[2]);
  sums[3] = _mm256_fmadd_pd(second, second, sums[3]);
}
inline void square_plane(const float* x, std::int64_t P, float center, __m256d* sums) {
  __m256d own[4] = {sums[0], sums[1], sums[2], sums[3]};
  const __m256 m = _mm256_set1_ps(center);
  const std::int64_t full = P & ~std::int64_t{7};
  for (std::int64_t i = 0; i < full; i += 8) add_squares(_mm256_sub_ps(_mm256_loadu_ps(x + i), m), own);
  if (full < P) {
    const __m256i tail = tail_mask(P - full);
    const __m256 d = _mm256_sub_ps(_mm256_maskload_ps(x + full, tail), m);
    add_squares(_mm256_and_ps(d, _mm256_castsi256_ps(tail)), own);
  }
  for (int s = 0; s < 4; ++s) sums[s] = own[s];
}

inline void batch_norm_statistics(const Context&, const float* x, float* mean, float* variance,
                                  std::int64_t c_begin, std::int64_t c_end, std::int64_t B, std::int64_t C,
                                  std::int64_t P) {
  const double n = static_cast<double>(B * P);
  for (std::int64_t c = c_begin; c < c_end; ++c) {
    __m256d sums[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()};
    for (std::int64_t b = 0; b < B; ++b) sum_plane(x + (b * C + c) * P, P, sums);
    const float center = static_cast<float>(horizontal_sum(_mm256_add_pd(sums[0], sums[1])) / n);
    sums[0] = sums[1] = _mm256_setzero_pd();
    for (std::int64_t b = 0; b < B; ++b) square_plane(x + (b * C + c) * P, P, center, sums);
    const double rest = horizontal_sum(_mm256_add_pd(sums[0], sums[1])) / n;
    mean[c] = center;
    variance[c] = static_cast<float>(horizontal_sum(_mm256_add_pd(sums[2], sums[3])) / n - rest * rest);
  }
}

// Adds dy to sums 0 and 1, dy (x - mean) to 2 and 3.
[[gnu::always_inline]] inline void add_products(__m256 dy, __m256 d, __m256d* sums) {
  const __m256 product = _mm256_mul_ps(dy, d);
  sums[0] = _mm256_add_pd(sums[0], first_in_double(dy));
  sums[1] = _mm256_add_pd(sums[1], second_in_double(dy));
  sums[2] = _mm256_add_pd(sums[2], first_in_double(product));
  sums[3] = _mm256_add_pd(sums[3], second_in_double(product));
}
inline void product_plane(const float* dy, const float* x, std::int64_t P, float mean, __m256d* sums) {
  __m256d own[4] = {sums[0], sums[1], sums[2], sums[3]};
  const __m256 m = _mm256_set1_ps(mean);
  const std::int64_t full = P & ~std::int64_t{7};
  for (std::int64_t i = 0; i < full; i += 8)
    add_products(_mm256_loadu_ps(dy + i), _mm256_sub_ps(_mm256_loadu_ps(x + i), m), own);
  if (full < P) {
    const __m256i tail = tail_mask(P - full);
    add_products(_mm256_maskload_ps(dy + full, tail), _mm256_sub_ps(_mm256_maskload_ps(x + full, tail), m),
                 own);
  }
  for (int s = 0; s < 4; ++s) sums[s] = own[s];
}

// dx = scale dy + slope (x - mean) + shift
inline void gradient_plane(const float* dy, const float* x, float* dx, std::int64_t P, float mean,
                           float scale, float slope, float shift) {
  const __m256 m = _mm256_set1_ps(mean), a = _mm256_set1_ps(scale), b = _mm256_set1_ps(slope),
               h = _mm256_set1_ps(shift);
  const std::int64_t full = P & ~std::int64_t{7};
  for (std::int64_t i = 0; i < full; i += 8) {
    const __m256 affine = _mm256_fmadd_ps(b, _mm256_sub_ps(_mm256_loadu_ps(x + i), m), h);
    _mm256_storeu_ps(dx + i, _mm256_fmadd_ps(a, _mm256_loadu_ps(dy + i), affine));
  }
  if (full < P) {
    const __m256i tail = tail_mask(P - full);
    const __m256 affine = _mm256_fmadd_ps(b, _mm256_sub_ps(_mm256_maskload_ps(x + full, tail), m), h);
    _mm256_maskstore_ps(dx + full, tail, _mm256_fmadd_ps(a, _mm256_maskload_ps(dy + full, tail), affine));
  }
}

inline void batch_norm_backward(const Context&, const BatchNormBackwardArguments<float>& a,
                                std::int64_t c_begin, std::int64_t c_end) {
  const double n = static_cast<double>(a.B * a.P);
  for (std::int64_t c = c_begin; c < c_end; ++c) {
    __m256d sums[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()};
    for (std::int64_t b = 0; b < a.B; ++b) {
      const std::int64_t plane = (b * a.C + c) * a.P;
      product_plane(a.dy + plane, a.x + plane, a.P, a.mean[c], sums);
    }
    const double sum = horizontal_sum(_mm256_add_pd(sums[0], sums[1]));
    const double products = horizontal_sum(_mm256_add_pd(sums[2], sums[3]));
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
}  // namespace avx2

inline void install(Avx2Tag, BatchNormBackwardKernels<float>& table) {
  table.statistics = &avx2::batch_norm_statistics;
  table.backward = &avx2::batch_norm_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
