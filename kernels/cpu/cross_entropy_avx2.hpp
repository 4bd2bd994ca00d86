// Negative log-likelihood, AVX2 and FMA.
#pragma once

#include "../cross_entropy_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

inline void cross_entropy_forward(const Context&, const float* logits, const std::int64_t* targets,
                                  float* nll, std::int64_t row_begin, std::int64_t row_end, std::int64_t V,
                                  std::int64_t ignore) {
  const std::int64_t full = V & ~std::int64_t{7};
  const __m256i tail = tail_mask(V - full);
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
  for (std::int64_t n = row_begin; n < row_end; ++n) {
    if (targets[n] == ignore) {
      nll[n] = 0;
      continue;
    }
    const float* row = logits + n * V;
    __m256 highest = lowest;
    for (std::int64_t v = 0; v < full; v += 8) highest = _mm256_max_ps(highest, _mm256_loadu_ps(row + v));
    __m256 rest = lowest;
    if (full < V) {
      rest = _mm256_blendv_ps(lowest, _mm256_maskload_ps(row + full, tail), _mm256_castsi256_ps(tail));
      highest = _mm256_max_ps(highest, rest);
    }
    const float maximum = horizontal_max(highest);
    const __m256 reference = _mm256_set1_ps(maximum);
    __m256 sum = _mm256_setzero_ps();
    for (std::int64_t v = 0; v < full; v += 8)
      sum = _mm256_add_ps(sum, exponential(_mm256_sub_ps(_mm256_loadu_ps(row + v), reference)));
    if (full < V) {
      const __m256 last = exponential(_mm256_sub_ps(rest, reference));
      sum = _mm256_add_ps(sum, _mm256_and_ps(last, _mm256_castsi256_ps(tail)));
    }
    nll[n] = __builtin_logf(horizontal_sum(sum)) + (maximum - row[targets[n]]);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, CrossEntropyKernels<float>& table) {
  table.forward = &avx2::cross_entropy_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
