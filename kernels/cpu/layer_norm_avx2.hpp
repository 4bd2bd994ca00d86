// Layer normalisation, AVX2 and FMA.
#pragma once

#include "../layer_norm_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

inline void layer_norm_forward(const Context&, const float* x, const float* r, const float* gamma,
                               const float* beta, float* y, std::int64_t row_begin, std::int64_t row_end,
                               std::int64_t D, float eps) {
  const std::int64_t full = D & ~std::int64_t{7};
  const __m256i tail = tail_mask(D - full);
  const float inverse_d = 1.0f / static_cast<float>(D);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const float* xi = x + row * D;
    const float* ri = r != nullptr ? r + row * D : nullptr;
    float* yi = y + row * D;
    __m256 sum = _mm256_setzero_ps();
    for (std::int64_t d = 0; d < full; d += 8) {
      __m256 s = _mm256_loadu_ps(xi + d);
      if (ri != nullptr) s = _mm256_add_ps(s, _mm256_loadu_ps(ri + d));
      _mm256_storeu_ps(yi + d, s);
      sum = _mm256_add_ps(sum, s);
    }
    if (full < D) {
      __m256 s = _mm256_maskload_ps(xi + full, tail);
      if (ri != nullptr) s = _mm256_add_ps(s, _mm256_maskload_ps(ri + full, tail));
      _mm256_maskstore_ps(yi + full, tail, s);
      sum = _mm256_add_ps(sum, s);
    }
    const __m256 mean = _mm256_set1_ps(horizontal_sum(sum) * inverse_d);
    __m256 squares = _mm256_setzero_ps();
    for (std::int64_t d = 0; d < full; d += 8) {
      __m256 c = _mm256_sub_ps(_mm256_loadu_ps(yi + d), mean);
      squares = _mm256_fmadd_ps(c, c, squares);
    }
    if (full < D) {
      __m256 c = _mm256_sub_ps(_mm256_maskload_ps(yi + full, tail), mean);
      c = _mm256_and_ps(c, _mm256_castsi256_ps(tail));
      squares = _mm256_fmadd_ps(c, c, squares);
    }
    const __m256 variance = _mm256_set1_ps(horizontal_sum(squares) * inverse_d + eps);
    const __m256 scale = _mm256_div_ps(_mm256_set1_ps(1.0f), _mm256_sqrt_ps(variance));
    for (std::int64_t d = 0; d < full; d += 8) {
      __m256 c = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(yi + d), mean), scale);
      _mm256_storeu_ps(yi + d, _mm256_fmadd_ps(c, _mm256_loadu_ps(gamma + d), _mm256_loadu_ps(beta + d)));
    }
    if (full < D) {
      __m256 c = _mm256_mul_ps(_mm256_sub_ps(_mm256_maskload_ps(yi + full, tail), mean), scale);
      _mm256_maskstore_ps(
          yi + full, tail,
          _mm256_fmadd_ps(c, _mm256_maskload_ps(gamma + full, tail), _mm256_maskload_ps(beta + full, tail)));
    }
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, LayerNormKernels<float>& table) { table.forward = &avx2::layer_norm_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
