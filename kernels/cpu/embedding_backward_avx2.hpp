// The embedding table's gradient, AVX2.
#pragma once

#include "../embedding_backward_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

inline void embedding_backward(const Context&, const float* dy, const std::int64_t* ids, float* dtable,
                               std::int64_t rows, std::int64_t d_begin, std::int64_t d_end, std::int64_t D) {
  const std::int64_t full = d_begin + ((d_end - d_begin) & ~std::int64_t{7});
  const __m256i tail = tail_mask(d_end - full);
  for (std::int64_t n = 0; n < rows; ++n) {
    const float* from = dy + n * D;
    float* to = dtable + ids[n] * D;
    for (std::int64_t d = d_begin; d < full; d += 8)
      _mm256_storeu_ps(to + d, _mm256_add_ps(_mm256_loadu_ps(to + d), _mm256_loadu_ps(from + d)));
    if (full < d_end)
      _mm256_maskstore_ps(
          to + full, tail,
          _mm256_add_ps(_mm256_maskload_ps(to + full, tail), _mm256_maskload_ps(from + full, tail)));
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, EmbeddingBackwardKernels<float>& table) {
  table.backward = &avx2::embedding_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
