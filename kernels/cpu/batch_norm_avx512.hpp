// Batch normalisation in evaluation mode, AVX-512.
#pragma once

#include "../batch_norm_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// One plane; the activation is a constant at every call.
[[gnu::always_inline]] inline void batch_norm_plane(const float* x, float* y, std::int64_t P, float scale,
                                                    float shift, const Activation activation, float slope) {
  const __m512 s = _mm512_set1_ps(scale), h = _mm512_set1_ps(shift);
  const std::int64_t full = P & ~std::int64_t{15};
  for (std::int64_t i = 0; i < full; i += 16)
    _mm512_storeu_ps(y + i, activate(_mm512_fmadd_ps(_mm512_loadu_ps(x + i), s, h), activation, slope));
  if (full < P) {
    const __mmask16 tail = lanes_left(P - full);
    const __m512 v = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(tail, x + full), s, h);
    _mm512_mask_storeu_ps(y + full, tail, activate(v, activation, slope));
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
}  // namespace avx512

inline void install(Avx512Tag, BatchNormKernels<float>& table) {
  table.forward = &avx512::batch_norm_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
