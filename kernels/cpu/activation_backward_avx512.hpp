// The activations' gradient, AVX-512.
#pragma once

#include "../activation_backward_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

inline void activation_backward(const Context&, const float* dy, const float* y, float* dx,
                                std::int64_t begin, std::int64_t end, Activation activation, float slope) {
  const __m512 factor = _mm512_set1_ps(slope);
  for (std::int64_t i = begin; i < end; i += 16) {
    const __mmask16 lanes = lanes_left(end - i);
    const __m512 g = _mm512_maskz_loadu_ps(lanes, dy + i);
    const __mmask16 positive =
        _mm512_cmp_ps_mask(_mm512_maskz_loadu_ps(lanes, y + i), _mm512_setzero_ps(), _CMP_GT_OQ);
    const __m512 result = activation == Activation::relu
                              ? _mm512_maskz_mov_ps(positive, g)
                              : _mm512_mask_mov_ps(_mm512_mul_ps(factor, g), positive, g);
    _mm512_mask_storeu_ps(dx + i, lanes, result);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, ActivationBackwardKernels<float>& table) {
  table.backward = &avx512::activation_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
