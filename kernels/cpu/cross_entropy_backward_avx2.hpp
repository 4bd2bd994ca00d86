// The negative log-likelihood and its gradient, AVX2 and FMA.
#pragma once

#include "../cross_entropy_backward_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

inline void cross_entropy_backward(const Context&, const CrossEntropyBackwardArguments<float>& a,
                                   std::int64_t row_begin, std::int64_t row_end) {
  const std::int64_t V = a.V, full = V & ~std::int64_t{7};
  const __m256i tail = tail_mask(V - full);
  const __m256 in_tail = _mm256_castsi256_ps(tail), lowest = _mm256_set1_ps(-__builtin_inff());
  const __m256 q = _mm256_set1_ps(a.scale * (a.smoothing / static_cast<float>(V)));
  for (std::int64_t n = row_begin; n < row_end; ++n) {
    const float* row = a.logits + n * V;
    float* gradient = a.dlogits != nullptr ? a.dlogits + n * V : nullptr;
    double* sums = a.sums + 2 * n;
    const std::int64_t target = a.targets[n];
    if (target == a.ignore) {
      sums[0] = sums[1] = 0;
      if (gradient != nullptr)
        for (std::int64_t v = 0; v < V; ++v) gradient[v] = 0;
      continue;
    }
    __m256 highest = lowest;
    for (std::int64_t v = 0; v < full; v += 8) highest = _mm256_max_ps(highest, _mm256_loadu_ps(row + v));
    __m256 rest = lowest;
    if (full < V) {
      rest = _mm256_blendv_ps(lowest, _mm256_maskload_ps(row + full, tail), in_tail);
      highest = _mm256_max_ps(highest, rest);
    }
    const float maximum = horizontal_max(highest), target_logit = row[target];
    const __m256 reference = _mm256_set1_ps(maximum);
    __m256 sum = _mm256_setzero_ps(), below = _mm256_setzero_ps();
    for (std::int64_t v = 0; v < full; v += 8) {
      const __m256 difference = _mm256_sub_ps(_mm256_loadu_ps(row + v), reference);
      const __m256 e = exponential(difference);
      sum = _mm256_add_ps(sum, e);
      below = _mm256_sub_ps(below, difference);
      if (gradient != nullptr) _mm256_storeu_ps(gradient + v, e);
    }
    if (full < V) {
      const __m256 difference = _mm256_sub_ps(rest, reference);
      const __m256 e = exponential(difference);
      sum = _mm256_add_ps(sum, _mm256_and_ps(e, in_tail));
      below = _mm256_sub_ps(below, _mm256_and_ps(difference, in_tail));
      if (gradient != nullptr) _mm256_maskstore_ps(gradient + full, tail, e);
    }
    const float total = horizontal_sum(sum), log_sum = __builtin_logf(total);
    const float nll = log_sum + (maximum - target_logit);
    sums[0] = static_cast<double>(nll);
    // Without smoothing the other logits have no part in the loss, not even one of -infinity.
    sums[1] = static_cast<double>(
        a.smoothing == 0.0f ? nll
                            : (1.0f - a.smoothing) * nll +
                                  a.smoothing * (log_sum + horizontal_sum(below) / static_cast<float>(V)));
    if (gradient == nullptr) continue;
    const __m256 p_scale = _mm256_set1_ps(a.scale / total);
    for (std::int64_t v = 0; v < full; v += 8)
      _mm256_storeu_ps(gradient + v, _mm256_fmsub_ps(p_scale, _mm256_loadu_ps(gradient + v), q));
    if (full < V)
      _mm256_maskstore_ps(gradient + full, tail,
                          _mm256_fmsub_ps(p_scale, _mm256_maskload_ps(gradient + full, tail), q));
    gradient[target] -= a.scale * (1.0f - a.smoothing);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, CrossEntropyBackwardKernels<float>& table) {
  table.backward = &avx2::cross_entropy_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
