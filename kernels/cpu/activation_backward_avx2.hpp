// The activations' gradient, AVX2.
#pragma once

#include "../activation_backward_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

[[gnu::always_inline]] inline __m256 activation_gradient(__m256 dy, __m256 y, Activation activation,
                                                         __m256 slope) {
  const __m256 positive = _mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_GT_OQ);
  if (activation == Activation::relu) return _mm256_and_ps(dy, positive);
  return _mm256_blendv_ps(_mm256_mul_ps(slope, dy), dy, positive);
}

inline void activation_backward(const Context&, const float* dy, const float* y, float* dx,
                                std::int64_t begin, std::int64_t end, Activation activation, float slope) {
  const __m256 factor = _mm256_set1_ps(slope);
  std::int64_t i = begin;
  for (; i + 8 <= end; i += 8)
    _mm256_storeu_ps(
        dx + i, activation_gradient(_mm256_loadu_ps(dy + i), _mm256_loadu_ps(y + i), activation, factor));
  if (i < end) {
    const __m256i tail = tail_mask(end - i);
    _mm256_maskstore_ps(dx + i, tail,
                        activation_gradient(_mm256_maskload_ps(dy + i, tail), _mm256_maskload_ps(y + i, tail),
                                            activation, factor));
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, ActivationBackwardKernels<float>& table) {
  table.backward = &avx2::activation_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
