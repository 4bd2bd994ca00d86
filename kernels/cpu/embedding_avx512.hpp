// Token embedding plus position, AVX-512.
#pragma once

#include "../embedding_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

inline void embedding_forward(const Context&, const std::int64_t* ids, const float* table,
                              const float* positions, std::int64_t first_position, float* y,
                              std::int64_t row_begin, std::int64_t row_end, std::int64_t length,
                              std::int64_t D) {
  for (std::int64_t n = row_begin; n < row_end; ++n) {
    const float* token = table + ids[n] * D;
    const float* position = positions != nullptr ? positions + (first_position + n % length) * D : nullptr;
    float* yn = y + n * D;
    for (std::int64_t d = 0; d < D; d += 16) {
      const __mmask16 lanes = lanes_left(D - d);
      __m512 sum = _mm512_maskz_loadu_ps(lanes, token + d);
      if (position != nullptr) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(lanes, position + d));
      _mm512_mask_storeu_ps(yn + d, lanes, sum);
    }
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, EmbeddingKernels<float>& table) { table.forward = &avx512::embedding_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
