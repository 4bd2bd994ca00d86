// Token embedding plus position, AVX2.
#pragma once

#include "../embedding_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

inline void embedding_forward(const Context&, const std::int64_t* ids, const float* table,
                              const float* positions, std::int64_t first_position, float* y,
                              std::int64_t row_begin, std::int64_t row_end, std::int64_t length,
                              std::int64_t D) {
  const std::int64_t full = D & ~std::int64_t{7};
  const __m256i tail = tail_mask(D - full);
  for (std::int64_t n = row_begin; n < row_end; ++n) {
    const float* token = table + ids[n] * D;
    const float* position = positions != nullptr ? positions + (first_position + n % length) * D : nullptr;
    float* yn = y + n * D;
    for (std::int64_t d = 0; d < full; d += 8) {
      __m256 sum = _mm256_loadu_ps(token + d);
      if (position != nullptr) sum = _mm256_add_ps(sum, _mm256_loadu_ps(position + d));
      _mm256_storeu_ps(yn + d, sum);
    }
    if (full < D) {
      __m256 sum = _mm256_maskload_ps(token + full, tail);
      if (position != nullptr) sum = _mm256_add_ps(sum, _mm256_maskload_ps(position + full, tail));
      _mm256_maskstore_ps(yn + full, tail, sum);
    }
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, EmbeddingKernels<float>& table) { table.forward = &avx2::embedding_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
