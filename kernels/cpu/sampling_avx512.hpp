// Choosing a token from logits, AVX-512.
#pragma once

#include "../sampling_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// Which of the ids i..i + 16 are below V and allowed.
[[gnu::always_inline]] inline __mmask16 sampling_choices(const std::uint8_t* allowed, std::int64_t i,
                                                         std::int64_t V) {
  const __mmask16 there = lanes_left(V - i);
  if (allowed == nullptr) return there;
  const __m128i bytes = _mm_maskz_loadu_epi8(there, allowed + i);
  return _mm_test_epi8_mask(bytes, bytes);
}

// The largest allowed logit. Of a NaN and another, max_ps gives the second operand.
inline float sampling_maximum(const float* logits, const std::uint8_t* allowed, std::int64_t V) {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  __m512 highest = lowest;
  for (std::int64_t i = 0; i < V; i += 16)
    highest =
        _mm512_max_ps(_mm512_mask_loadu_ps(lowest, sampling_choices(allowed, i, V), logits + i), highest);
  return horizontal_max(highest);
}

// The maximum, then the first allowed id that has it.
inline std::int64_t argmax(const Context&, const float* logits, const std::uint8_t* allowed, std::int64_t V) {
  const __m512 maximum = _mm512_set1_ps(sampling_maximum(logits, allowed, V));
  for (std::int64_t i = 0; i < V; i += 16) {
    const __mmask16 choices = sampling_choices(allowed, i, V);
    const __mmask16 found =
        _mm512_mask_cmp_ps_mask(choices, _mm512_maskz_loadu_ps(choices, logits + i), maximum, _CMP_EQ_OQ);
    if (found != 0) return i + __builtin_ctz(found);
  }
  return -1;
}

inline float softmax_weights(const Context&, const float* logits, const std::uint8_t* allowed, float* weights,
                             std::int64_t V, float temperature) {
  const __m512 maximum = _mm512_set1_ps(sampling_maximum(logits, allowed, V));
  const __m512 t = _mm512_set1_ps(temperature), one = _mm512_set1_ps(1.0f);
  __m512 total = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < V; i += 16) {
    const __mmask16 choices = sampling_choices(allowed, i, V);
    const __m512 l = _mm512_maskz_loadu_ps(choices, logits + i);
    // Logits equal to the maximum weigh 1 by definition, be it infinite or the temperature 0.
    __m512 w = exponential(_mm512_div_ps(_mm512_sub_ps(l, maximum), t));
    w = _mm512_mask_mov_ps(w, _mm512_cmp_ps_mask(l, maximum, _CMP_EQ_OQ), one);
    w = _mm512_maskz_mov_ps(choices, w);
    _mm512_mask_storeu_ps(weights + i, lanes_left(V - i), w);
    total = _mm512_add_ps(total, w);
  }
  return horizontal_sum(total);
}

// Passes over sixteen weights at a time by their sum, then looks inside the sixteen where the threshold is
// crossed: the definition, but for the rounding of sums taken in another order.
inline std::int64_t pick(const Context&, const float* weights, float total, float u, std::int64_t V) {
  const float threshold = u * total;
  float before = 0;
  std::int64_t last = -1;
  for (std::int64_t i = 0; i < V; i += 16) {
    const std::int64_t left = V - i < 16 ? V - i : 16;
    const __m512 w = _mm512_maskz_loadu_ps(lanes_left(left), weights + i);
    const __mmask16 positive = _mm512_cmp_ps_mask(w, _mm512_setzero_ps(), _CMP_GT_OQ);
    if (positive == 0) continue;
    last = i + 31 - __builtin_clz(positive);
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
}  // namespace avx512

inline void install(Avx512Tag, SamplingKernels<float>& table) {
  table.argmax = &avx512::argmax;
  table.softmax_weights = &avx512::softmax_weights;
  table.pick = &avx512::pick;
}

}  // namespace imu2music::inline v0::kernels
#endif
