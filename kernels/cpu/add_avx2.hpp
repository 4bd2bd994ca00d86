// The sum of a residual connection, AVX2.
#pragma once

#include "../add_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// `count` elements; the activation is a constant at every call.
[[gnu::always_inline]] inline void add_elements(const float* a, const float* b, float* y, std::int64_t count,
                                                const Activation activation, float slope) {
  const std::int64_t full = count & ~std::int64_t{7};
  for (std::int64_t n = 0; n < full; n += 8)
    _mm256_storeu_ps(
        y + n, activate(_mm256_add_ps(_mm256_loadu_ps(a + n), _mm256_loadu_ps(b + n)), activation, slope));
  if (full < count) {
    const __m256i tail = tail_mask(count - full);
    const __m256 sum = _mm256_add_ps(_mm256_maskload_ps(a + full, tail), _mm256_maskload_ps(b + full, tail));
    _mm256_maskstore_ps(y + full, tail, activate(sum, activation, slope));
  }
}

inline void add_forward(const Context&, const float* a, const float* b, float* y, std::int64_t begin,
                        std::int64_t end, Activation activation, float slope) {
  if (activation == Activation::relu)
    add_elements(a + begin, b + begin, y + begin, end - begin, Activation::relu, slope);
  else if (activation == Activation::leaky_relu)
    add_elements(a + begin, b + begin, y + begin, end - begin, Activation::leaky_relu, slope);
  else
    add_elements(a + begin, b + begin, y + begin, end - begin, Activation::none, slope);
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, AddKernels<float>& table) { table.forward = &avx2::add_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
