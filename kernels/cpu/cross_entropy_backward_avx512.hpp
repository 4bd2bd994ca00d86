// The negative log-likelihood and its gradient, AVX-512.
#pragma once

#include "../cross_entropy_backward_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

inline void cross_entropy_backward(const Context&, const CrossEntropyBackwardArguments<float>& a,
                                   std::int64_t row_begin, std::int64_t row_end) {
  const std::int64_t V = a.V;
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  const __m512 q = _mm512_set1_ps(a.scale * (a.smoothing / static_cast<float>(V)));
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
    __m512 highest = lowest;
    for (std::int64_t v = 0; v < V; v += 16)
      highest = _mm512_max_ps(highest, _mm512_mask_loadu_ps(lowest, lanes_left(V - v), row + v));
    const float maximum = horizontal_max(highest), target_logit = row[target];
    const __m512 reference = _mm512_set1_ps(maximum);
    __m512 sum = _mm512_setzero_ps(), below = _mm512_setzero_ps();
    for (std::int64_t v = 0; v < V; v += 16) {
      const __mmask16 lanes = lanes_left(V - v);
      const __m512 difference = _mm512_maskz_sub_ps(lanes, _mm512_maskz_loadu_ps(lanes, row + v), reference);
      const __m512 e = exponential(difference);
      sum = _mm512_mask_add_ps(sum, lanes, sum, e);
      below = _mm512_sub_ps(below, difference);
      if (gradient != nullptr) _mm512_mask_storeu_ps(gradient + v, lanes, e);
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
    const __m512 p_scale = _mm512_set1_ps(a.scale / total);
    for (std::int64_t v = 0; v < V; v += 16) {
      const __mmask16 lanes = lanes_left(V - v);
      _mm512_mask_storeu_ps(gradient + v, lanes,
                            _mm512_fmsub_ps(p_scale, _mm512_maskz_loadu_ps(lanes, gradient + v), q));
    }
    gradient[target] -= a.scale * (1.0f - a.smoothing);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, CrossEntropyBackwardKernels<float>& table) {
  table.backward = &avx512::cross_entropy_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
