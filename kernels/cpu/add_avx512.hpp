// The sum of a residual connection, AVX-512.
#pragma once

#include "../add_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// `count` elements; the activation is a constant at every call.
[[gnu::always_inline]] inline void add_elements(const float* a, const float* b, float* y, std::int64_t count,
                                                const Activation activation, float slope) {
  const std::int64_t full = count & ~std::int64_t{15};
  for (std::int64_t n = 0; n < full; n += 16)
    _mm512_storeu_ps(
        y + n, activate(_mm512_add_ps(_mm512_loadu_ps(a + n), _mm512_loadu_ps(b + n)), activation, slope));
  if (full < count) {
    const __mmask16 tail = lanes_left(count - full);
    const __m512 sum =
        _mm512_add_ps(_mm512_maskz_loadu_ps(tail, a + full), _mm512_maskz_loadu_ps(tail, b + full));
    _mm512_mask_storeu_ps(y + full, tail, activate(sum, activation, slope));
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
}  // namespace avx512

inline void install(Avx512Tag, AddKernels<float>& table) { table.forward = &avx512::add_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
