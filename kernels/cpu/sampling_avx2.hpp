// Choosing a token from logits, AVX2 and FMA.
#pragma once

#include "../sampling_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// Which of the ids i..i + 8 are below V and allowed.
[[gnu::always_inline]] inline __m256i sampling_choices(const std::uint8_t* allowed, std::int64_t i,
                                                       std::int64_t V) {
  const std::int64_t left = V - i;
  const __m256i there = tail_mask(left < 8 ? left : 8);
  if (allowed == nullptr) return there;
  return _mm256_andnot_si256(_mm256_cmpeq_epi32(load_bytes(allowed + i, left), _mm256_setzero_si256()),
                             there);
}

// The largest allowed logit. Of a NaN and another, max_ps gives the second operand.
inline float sampling_maximum(const float* logits, const std::uint8_t* allowed, std::int64_t V) {
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
  __m256 highest = lowest;
  for (std::int64_t i = 0; i < V; i += 8) {
    const __m256i choices = sampling_choices(allowed, i, V);
    highest = _mm256_max_ps(
        _mm256_blendv_ps(lowest, _mm256_maskload_ps(logits + i, choices), _mm256_castsi256_ps(choices)),
        highest);
  }
  return horizontal_max(highest);
}

// The maximum, then the first allowed id that has it.
inline std::int64_t argmax(const Context&, const float* logits, const std::uint8_t* allowed, std::int64_t V) {
  const __m256 maximum = _mm256_set1_ps(sampling_maximum(logits, allowed, V));
  for (std::int64_t i = 0; i < V; i += 8) {
    const __m256i choices = sampling_choices(allowed, i, V);
    const __m256 equal = _mm256_cmp_ps(_mm256_maskload_ps(logits + i, choices), maximum, _CMP_EQ_OQ);
    const int found = _mm256_movemask_ps(_mm256_and_ps(equal, _mm256_castsi256_ps(choices)));
    if (found != 0) return i + __builtin_ctz(static_cast<unsigned>(found));
  }
  return -1;
}

inline float softmax_weights(const Context&, const float* logits, const std::uint8_t* allowed, float* weights,
                             std::int64_t V, float temperature) {
  const __m256 maximum = _mm256_set1_ps(sampling_maximum(logits, allowed, V));
  const __m256 t = _mm256_set1_ps(temperature), one = _mm256_set1_ps(1.0f);
  __m256 total = _mm256_setzero_ps();
  for (std::int64_t i = 0; i < V; i += 8) {
    const __m256i choices = sampling_choices(allowed, i, V);
    const __m256 l = _mm256_maskload_ps(logits + i, choices);
    // Logits equal to the maximum weigh 1 by definition, be it infinite or the temperature 0.
    __m256 w = exponential(_mm256_div_ps(_mm256_sub_ps(l, maximum), t));
    w = _mm256_blendv_ps(w, one, _mm256_cmp_ps(l, maximum, _CMP_EQ_OQ));
    w = _mm256_and_ps(w, _mm256_castsi256_ps(choices));
    if (V - i >= 8)
      _mm256_storeu_ps(weights + i, w);
    else
      _mm256_maskstore_ps(weights + i, tail_mask(V - i), w);
    total = _mm256_add_ps(total, w);
  }
  return horizontal_sum(total);
}

// Passes over eight weights at a time by their sum, then looks inside the eight where the threshold is
// crossed: the definition, but for the rounding of sums taken in another order.
inline std::int64_t pick(const Context&, const float* weights, float total, float u, std::int64_t V) {
  const float threshold = u * total;
  float before = 0;
  std::int64_t last = -1;
  for (std::int64_t i = 0; i < V; i += 8) {
    const std::int64_t left = V - i < 8 ? V - i : 8;
    const __m256 w = _mm256_maskload_ps(weights + i, tail_mask(left));
    const int positive = _mm256_movemask_ps(_mm256_cmp_ps(w, _mm256_setzero_ps(), _CMP_GT_OQ));
    if (positive == 0) continue;
    last = i + 31 - __builtin_clz(static_cast<unsigned>(positive));
    const float after = before + horizontal_sum(w);
    if (after > threshold) {
      float sum = before;
      for (std::int64_t k = i; k < i + left; ++k) {
        sum += weights[k];
        if (sum > threshold && weights[k] > 0) return k;
      }
      return last;  // the sum in order rounds to the threshold: its last weight crosses it
    }
    before = after;
  }
  return last;
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, SamplingKernels<float>& table) {
  table.argmax = &avx2::argmax;
  table.softmax_weights = &avx2::softmax_weights;
  table.pick = &avx2::pick;
}

}  // namespace imu2music::inline v0::kernels
#endif
