// The embedding table's gradient, AVX-512.
#pragma once

#include "../embedding_backward_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

inline void embedding_backward(const Context&, const float* dy, const std::int64_t* ids, float* dtable,
                               std::int64_t rows, std::int64_t d_begin, std::int64_t d_end, std::int64_t D) {
  for (std::int64_t n = 0; n < rows; ++n) {
    const float* from = dy + n * D;
    float* to = dtable + ids[n] * D;
    for (std::int64_t d = d_begin; d < d_end; d += 16) {
      const __mmask16 lanes = lanes_left(d_end - d);
      _mm512_mask_storeu_ps(
          to + d, lanes,
          _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, to + d), _mm512_maskz_loadu_ps(lanes, from + d)));
    }
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, EmbeddingBackwardKernels<float>& table) {
  table.backward = &avx512::embedding_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
