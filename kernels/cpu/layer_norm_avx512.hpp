// Layer normalisation, AVX-512.
#pragma once

#include "../layer_norm_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

inline void layer_norm_forward(const Context&, const float* x, const float* r, const float* gamma,
                               const float* beta, float* y, std::int64_t row_begin, std::int64_t row_end,
                               std::int64_t D, float eps) {
  const float inverse_d = 1.0f / static_cast<float>(D);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const float* xi = x + row * D;
    const float* ri = r != nullptr ? r + row * D : nullptr;
    float* yi = y + row * D;
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t d = 0; d < D; d += 16) {
      const __mmask16 lanes = lanes_left(D - d);
      __m512 s = _mm512_maskz_loadu_ps(lanes, xi + d);
      if (ri != nullptr) s = _mm512_add_ps(s, _mm512_maskz_loadu_ps(lanes, ri + d));
      _mm512_mask_storeu_ps(yi + d, lanes, s);
      sum = _mm512_add_ps(sum, s);
    }
    const __m512 mean = _mm512_set1_ps(horizontal_sum(sum) * inverse_d);
    __m512 squares = _mm512_setzero_ps();
    for (std::int64_t d = 0; d < D; d += 16) {
      const __mmask16 lanes = lanes_left(D - d);
      const __m512 c = _mm512_maskz_sub_ps(lanes, _mm512_maskz_loadu_ps(lanes, yi + d), mean);
      squares = _mm512_fmadd_ps(c, c, squares);
    }
    const __m512 variance = _mm512_set1_ps(horizontal_sum(squares) * inverse_d + eps);
    const __m512 scale = _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_sqrt_ps(variance));
    for (std::int64_t d = 0; d < D; d += 16) {
      const __mmask16 lanes = lanes_left(D - d);
      const __m512 c = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, yi + d), mean), scale);
      _mm512_mask_storeu_ps(yi + d, lanes,
                            _mm512_fmadd_ps(c, _mm512_maskz_loadu_ps(lanes, gamma + d),
                                            _mm512_maskz_loadu_ps(lanes, beta + d)));
    }
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, LayerNormKernels<float>& table) {
  table.forward = &avx512::layer_norm_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
