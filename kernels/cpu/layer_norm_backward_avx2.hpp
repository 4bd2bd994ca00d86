// Layer normalisation's gradients, AVX2 and FMA.
//
// The sums over rows: lanes over columns, one accumulator for 128 rows at a time, in rising order.
#pragma once

#include "../layer_norm_backward_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// s[d..d + 8), zeros outside the lanes.
[[gnu::always_inline]] inline __m256 residual_sum(const float* x, const float* r, std::int64_t d,
                                                  __m256i lanes) {
  const __m256 s = _mm256_maskload_ps(x + d, lanes);
  return r != nullptr ? _mm256_add_ps(s, _mm256_maskload_ps(r + d, lanes)) : s;
}

inline void layer_norm_input_gradient(const Context&, const float* dy, const float* x, const float* r,
                                      const float* gamma, float* ds, float* statistics,
                                      std::int64_t row_begin, std::int64_t row_end, std::int64_t D,
                                      float eps) {
  const float inverse_d = 1.0f / static_cast<float>(D);
  const __m256i all = _mm256_set1_epi32(-1), tail = tail_mask(D & 7);
  const std::int64_t full = D & ~std::int64_t{7};
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const float* xi = x + row * D;
    const float* ri = r != nullptr ? r + row * D : nullptr;
    const float* dyi = dy + row * D;
    float* dsi = ds + row * D;
    __m256 sum = _mm256_setzero_ps();
    for (std::int64_t d = 0; d < D; d += 8)
      sum = _mm256_add_ps(sum, residual_sum(xi, ri, d, d < full ? all : tail));
    const float mean = horizontal_sum(sum) * inverse_d;
    const __m256 means = _mm256_set1_ps(mean);
    // g is 0 outside the lanes.
    __m256 squares = _mm256_setzero_ps(), g_sum = _mm256_setzero_ps(), gc_sum = _mm256_setzero_ps();
    for (std::int64_t d = 0; d < D; d += 8) {
      const __m256i lanes = d < full ? all : tail;
      const __m256 c =
          _mm256_and_ps(_mm256_sub_ps(residual_sum(xi, ri, d, lanes), means), _mm256_castsi256_ps(lanes));
      const __m256 g =
          _mm256_mul_ps(_mm256_maskload_ps(gamma + d, lanes), _mm256_maskload_ps(dyi + d, lanes));
      squares = _mm256_fmadd_ps(c, c, squares);
      g_sum = _mm256_add_ps(g_sum, g);
      gc_sum = _mm256_fmadd_ps(g, c, gc_sum);
    }
    const float u = 1.0f / __builtin_sqrtf(horizontal_sum(squares) * inverse_d + eps);
    const __m256 scale = _mm256_set1_ps(u);
    const __m256 g_mean = _mm256_set1_ps(horizontal_sum(g_sum) * inverse_d);
    const __m256 gh_mean = _mm256_set1_ps(horizontal_sum(gc_sum) * u * inverse_d);
    for (std::int64_t d = 0; d < D; d += 8) {
      const __m256i lanes = d < full ? all : tail;
      const __m256 g =
          _mm256_mul_ps(_mm256_maskload_ps(gamma + d, lanes), _mm256_maskload_ps(dyi + d, lanes));
      const __m256 h = _mm256_mul_ps(_mm256_sub_ps(residual_sum(xi, ri, d, lanes), means), scale);
      const __m256 result = _mm256_mul_ps(scale, _mm256_fnmadd_ps(h, gh_mean, _mm256_sub_ps(g, g_mean)));
      if (d < full)
        _mm256_storeu_ps(dsi + d, result);
      else
        _mm256_maskstore_ps(dsi + d, tail, result);
    }
    statistics[2 * row] = mean;
    statistics[2 * row + 1] = u;
  }
}

// Columns d..d + 8 vectors of dgamma and dbeta over the rows first..last, of the last vector the `lanes`
// alone; vectors in {1, 4} is a constant at every call.
[[gnu::always_inline]] inline void layer_norm_columns(const float* dy, const float* x, const float* r,
                                                      const float* statistics, float* dgamma, float* dbeta,
                                                      std::int64_t first, std::int64_t last, std::int64_t d,
                                                      std::int64_t D, __m256i lanes, const int vectors) {
  __m256 gamma_sums[4], beta_sums[4];
  IMU2MUSIC_UNROLL
  for (int c = 0; c < vectors; ++c) gamma_sums[c] = beta_sums[c] = _mm256_setzero_ps();
  for (std::int64_t row = first; row < last; ++row) {
    const float* xi = x + row * D + d;
    const float* ri = r != nullptr ? r + row * D + d : nullptr;
    const float* dyi = dy + row * D + d;
    const __m256 mean = _mm256_broadcast_ss(statistics + 2 * row);
    const __m256 scale = _mm256_broadcast_ss(statistics + 2 * row + 1);
    IMU2MUSIC_UNROLL
    for (int c = 0; c < vectors; ++c) {
      const __m256 g = _mm256_maskload_ps(dyi + 8 * c, lanes);
      const __m256 h = _mm256_mul_ps(_mm256_sub_ps(residual_sum(xi, ri, 8 * c, lanes), mean), scale);
      gamma_sums[c] = _mm256_fmadd_ps(g, h, gamma_sums[c]);
      beta_sums[c] = _mm256_add_ps(beta_sums[c], g);
    }
  }
  IMU2MUSIC_UNROLL
  for (int c = 0; c < vectors; ++c) {
    float* to_gamma = dgamma != nullptr ? dgamma + d + 8 * c : nullptr;
    float* to_beta = dbeta != nullptr ? dbeta + d + 8 * c : nullptr;
    if (to_gamma != nullptr)
      _mm256_maskstore_ps(to_gamma, lanes, _mm256_add_ps(_mm256_maskload_ps(to_gamma, lanes), gamma_sums[c]));
    if (to_beta != nullptr)
      _mm256_maskstore_ps(to_beta, lanes, _mm256_add_ps(_mm256_maskload_ps(to_beta, lanes), beta_sums[c]));
  }
}

inline void layer_norm_parameter_gradient(const Context&, const float* dy, const float* x, const float* r,
                                          const float* statistics, float* dgamma, float* dbeta,
                                          std::int64_t rows, std::int64_t d_begin, std::int64_t d_end,
                                          std::int64_t D) {
  const __m256i all = _mm256_set1_epi32(-1);
  for (std::int64_t first = 0; first < rows; first += 128) {
    const std::int64_t last = first + 128 < rows ? first + 128 : rows;
    std::int64_t d = d_begin;
    for (; d + 32 <= d_end; d += 32)
      layer_norm_columns(dy, x, r, statistics, dgamma, dbeta, first, last, d, D, all, 4);
    for (; d + 8 <= d_end; d += 8)
      layer_norm_columns(dy, x, r, statistics, dgamma, dbeta, first, last, d, D, all, 1);
    if (d < d_end)
      layer_norm_columns(dy, x, r, statistics, dgamma, dbeta, first, last, d, D, tail_mask(d_end - d), 1);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, LayerNormBackwardKernels<float>& table) {
  table.input = &avx2::layer_norm_input_gradient;
  table.parameters = &avx2::layer_norm_parameter_gradient;
}

}  // namespace imu2music::inline v0::kernels
#endif
