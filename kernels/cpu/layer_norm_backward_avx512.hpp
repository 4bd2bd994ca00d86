// Layer normalisation's gradients, AVX-512.
//
// The sums over rows: lanes over columns, one accumulator for 128 rows at a time, in rising order.
#pragma once

#include "../layer_norm_backward_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// s[d..d + 16), zeros outside the lanes.
[[gnu::always_inline]] inline __m512 residual_sum(const float* x, const float* r, std::int64_t d,
                                                  __mmask16 lanes) {
  const __m512 s = _mm512_maskz_loadu_ps(lanes, x + d);
  return r != nullptr ? _mm512_add_ps(s, _mm512_maskz_loadu_ps(lanes, r + d)) : s;
}

inline void layer_norm_input_gradient(const Context&, const float* dy, const float* x, const float* r,
                                      const float* gamma, float* ds, float* statistics,
                                      std::int64_t row_begin, std::int64_t row_end, std::int64_t D,
                                      float eps) {
  const float inverse_d = 1.0f / static_cast<float>(D);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const float* xi = x + row * D;
    const float* ri = r != nullptr ? r + row * D : nullptr;
    const float* dyi = dy + row * D;
    float* dsi = ds + row * D;
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t d = 0; d < D; d += 16)
      sum = _mm512_add_ps(sum, residual_sum(xi, ri, d, lanes_left(D - d)));
    const float mean = horizontal_sum(sum) * inverse_d;
    const __m512 means = _mm512_set1_ps(mean);
    // g is 0 outside the lanes.
    __m512 squares = _mm512_setzero_ps(), g_sum = _mm512_setzero_ps(), gc_sum = _mm512_setzero_ps();
    for (std::int64_t d = 0; d < D; d += 16) {
      const __mmask16 lanes = lanes_left(D - d);
      const __m512 c = _mm512_maskz_sub_ps(lanes, residual_sum(xi, ri, d, lanes), means);
      const __m512 g =
          _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, gamma + d), _mm512_maskz_loadu_ps(lanes, dyi + d));
      squares = _mm512_fmadd_ps(c, c, squares);
      g_sum = _mm512_add_ps(g_sum, g);
      gc_sum = _mm512_fmadd_ps(g, c, gc_sum);
    }
    const float u = 1.0f / __builtin_sqrtf(horizontal_sum(squares) * inverse_d + eps);
    const __m512 scale = _mm512_set1_ps(u);
    const __m512 g_mean = _mm512_set1_ps(horizontal_sum(g_sum) * inverse_d);
    const __m512 gh_mean = _mm512_set1_ps(horizontal_sum(gc_sum) * u * inverse_d);
    for (std::int64_t d = 0; d < D; d += 16) {
      const __mmask16 lanes = lanes_left(D - d);
      const __m512 g =
          _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, gamma + d), _mm512_maskz_loadu_ps(lanes, dyi + d));
      const __m512 h = _mm512_mul_ps(_mm512_sub_ps(residual_sum(xi, ri, d, lanes), means), scale);
      _mm512_mask_storeu_ps(dsi + d, lanes,
                            _mm512_mul_ps(scale, _mm512_fnmadd_ps(h, gh_mean, _mm512_sub_ps(g, g_mean))));
    }
    statistics[2 * row] = mean;
    statistics[2 * row + 1] = u;
  }
}

// dgamma and dbeta, or one of them, from column d on, += the sums of the first `columns` of 64 columns over
// the rows first..last.
[[gnu::always_inline]] inline void layer_norm_columns(const float* dy, const float* x, const float* r,
                                                      const float* statistics, float* dgamma, float* dbeta,
                                                      std::int64_t first, std::int64_t last, std::int64_t d,
                                                      std::int64_t D, std::int64_t columns) {
  __mmask16 lanes[4];
  __m512 gamma_sums[4], beta_sums[4];
  IMU2MUSIC_UNROLL
  for (int c = 0; c < 4; ++c) {
    lanes[c] = lanes_left(columns < 16 * c ? 0 : columns - 16 * c);
    gamma_sums[c] = beta_sums[c] = _mm512_setzero_ps();
  }
  for (std::int64_t row = first; row < last; ++row) {
    const float* xi = x + row * D + d;
    const float* ri = r != nullptr ? r + row * D + d : nullptr;
    const float* dyi = dy + row * D + d;
    const __m512 mean = _mm512_set1_ps(statistics[2 * row]);
    const __m512 scale = _mm512_set1_ps(statistics[2 * row + 1]);
    IMU2MUSIC_UNROLL
    for (int c = 0; c < 4; ++c) {
      const __m512 g = _mm512_maskz_loadu_ps(lanes[c], dyi + 16 * c);
      const __m512 h = _mm512_mul_ps(_mm512_sub_ps(residual_sum(xi, ri, 16 * c, lanes[c]), mean), scale);
      gamma_sums[c] = _mm512_fmadd_ps(g, h, gamma_sums[c]);
      beta_sums[c] = _mm512_add_ps(beta_sums[c], g);
    }
  }
  IMU2MUSIC_UNROLL
  for (int c = 0; c < 4; ++c) {
    if (columns <= 16 * c) break;
    float* to_gamma = dgamma != nullptr ? dgamma + d + 16 * c : nullptr;
    float* to_beta = dbeta != nullptr ? dbeta + d + 16 * c : nullptr;
    if (to_gamma != nullptr)
      _mm512_mask_storeu_ps(to_gamma, lanes[c],
                            _mm512_add_ps(_mm512_maskz_loadu_ps(lanes[c], to_gamma), gamma_sums[c]));
    if (to_beta != nullptr)
      _mm512_mask_storeu_ps(to_beta, lanes[c],
                            _mm512_add_ps(_mm512_maskz_loadu_ps(lanes[c], to_beta), beta_sums[c]));
  }
}

inline void layer_norm_parameter_gradient(const Context&, const float* dy, const float* x, const float* r,
                                          const float* statistics, float* dgamma, float* dbeta,
                                          std::int64_t rows, std::int64_t d_begin, std::int64_t d_end,
                                          std::int64_t D) {
  for (std::int64_t first = 0; first < rows; first += 128) {
    const std::int64_t last = first + 128 < rows ? first + 128 : rows;
    for (std::int64_t d = d_begin; d < d_end; d += 64)
      layer_norm_columns(dy, x, r, statistics, dgamma, dbeta, first, last, d, D, d_end - d);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, LayerNormBackwardKernels<float>& table) {
  table.input = &avx512::layer_norm_input_gradient;
  table.parameters = &avx512::layer_norm_parameter_gradient;
}

}  // namespace imu2music::inline v0::kernels
#endif
