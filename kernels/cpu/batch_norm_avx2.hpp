// Batch normalisation in evaluation mode, AVX2 and FMA.
#pragma once

#include "../batch_norm_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// One plane; the activation is a constant at every call.
[[gnu::always_inline]] inline void batch_norm_plane(const float* x, float* y, std::int64_t P, float scale,
                                                    float shift, const Activation activation, float slope) {
  const __m256 s = _mm256_set1_ps(scale), h = _mm256_set1_ps(shift);
  const std::int64_t full = P & ~std::int64_t{7};
  for (std::int64_t i = 0; i < full; i += 8)
    _mm256_storeu_ps(y + i, activate(_mm256_fmadd_ps(_mm256_loadu_ps(x + i), s, h), activation, slope));
  if (full < P) {
    const __m256i tail = tail_mask(P - full);
    const __m256 v = _mm256_fmadd_ps(_mm256_maskload_ps(x + full, tail), s, h);
    _mm256_maskstore_ps(y + full, tail, activate(v, activation, slope));
  }
}

inline void batch_norm_forward(const Context&, const float* x, const float* scale, const float* shift,
                               float* y, std::int64_t plane_begin, std::int64_t plane_end, std::int64_t C,
                               std::int64_t P, Activation activation, float slope) {
  for (std::int64_t plane = plane_begin; plane < plane_end; ++plane) {
    const float s = scale[plane % C], h = shift[plane % C];
    const float* xi = x + plane * P;
    float* yi = y + plane * P;
    if (activation == Activation::relu)
      batch_norm_plane(xi, yi, P, s, h, Activation::relu, slope);
    else if (activation == Activation::leaky_relu)
      batch_norm_plane(xi, yi, P, s, h, Activation::leaky_relu, slope);
    else
      batch_norm_plane(xi, yi, P, s, h, Activation::none, slope);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, BatchNormKernels<float>& table) { table.forward = &avx2::batch_norm_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
