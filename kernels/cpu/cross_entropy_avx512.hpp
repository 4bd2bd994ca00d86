// Negative log-likelihood, AVX-512.
#pragma once

#include "../cross_entropy_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

inline void cross_entropy_forward(const Context&, const float* logits, const std::int64_t* targets,
                                  float* nll, std::int64_t row_begin, std::int64_t row_end, std::int64_t V,
                                  std::int64_t ignore) {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  for (std::int64_t n = row_begin; n < row_end; ++n) {
    if (targets[n] == ignore) {
      nll[n] = 0;
      continue;
    }
    const float* row = logits + n * V;
    __m512 highest = lowest;
    for (std::int64_t v = 0; v < V; v += 16)
      highest = _mm512_max_ps(highest, _mm512_mask_loadu_ps(lowest, lanes_left(V - v), row + v));
    const float maximum = horizontal_max(highest);
    const __m512 reference = _mm512_set1_ps(maximum);
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t v = 0; v < V; v += 16) {
      const __mmask16 lanes = lanes_left(V - v);
      const __m512 e = exponential(_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, row + v), reference));
      sum = _mm512_mask_add_ps(sum, lanes, sum, e);
    }
    nll[n] = __builtin_logf(horizontal_sum(sum)) + (maximum - row[targets[n]]);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, CrossEntropyKernels<float>& table) {
  table.forward = &avx512::cross_entropy_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
