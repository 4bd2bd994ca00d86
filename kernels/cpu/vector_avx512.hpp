// Pieces that several AVX-512 kernels share: lane masks, horizontal sums and maxima, and the exponential with
// what is made of it.
#pragma once

#include <cstdint>

#include "../activation.hpp"
#include "isa.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels::avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// A mask of the first min(count, 16) of 16 lanes; count >= 0.
inline __mmask16 lanes_left(std::int64_t count) {
  return count >= 16 ? static_cast<__mmask16>(0xffff) : static_cast<__mmask16>((1u << count) - 1u);
}

// The sum of the 16 lanes, always in the same order.
inline float horizontal_sum(__m512 v) {
  __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_movehdup_ps(s));
  return _mm_cvtss_f32(s);
}

inline float horizontal_max(__m512 v) {
  __m256 h = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  m = _mm_max_ss(m, _mm_movehdup_ps(m));
  return _mm_cvtss_f32(m);
}

// The sums of the lanes of four vectors, each in the order of horizontal_sum.
inline __m128 horizontal_sums(__m512 a, __m512 b, __m512 c, __m512 d) {
  const __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  const __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
  __m512 s = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
  s = _mm512_add_ps(s, _mm512_permute_ps(s, 0x4e));
  s = _mm512_add_ps(s, _mm512_movehdup_ps(s));  // in each of four blocks, the first number
  const __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, s));
}

// The functions of activation.hpp; NaN stays NaN: of max and min the second operand is the result where
// either is NaN.
inline __m128 activate(__m128 x, Activation activation, float slope) {
  if (activation == Activation::relu) return _mm_max_ps(_mm_setzero_ps(), x);
  if (activation == Activation::leaky_relu)
    return _mm_blendv_ps(_mm_mul_ps(x, _mm_set1_ps(slope)), x, _mm_cmpgt_ps(x, _mm_setzero_ps()));
  return x;
}
inline __m512 activate(__m512 x, Activation activation, float slope) {
  if (activation == Activation::relu) return _mm512_max_ps(_mm512_setzero_ps(), x);
  if (activation == Activation::leaky_relu)
    return _mm512_mask_mul_ps(x, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NGT_UQ), x,
                              _mm512_set1_ps(slope));
  return x;
}

// e^x for x <= 88.37; below -87.33 the result is 0; NaN stays NaN. As the AVX2 one; 2^n is applied by scalef.
inline __m512 exponential(__m512 x) {
  const __mmask16 in_range = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-87.33654f), _CMP_NLT_UQ);
  x = _mm512_min_ps(_mm512_set1_ps(88.37626f), x);
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.0f / 720.0f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120.0f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24.0f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6.0f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  return _mm512_maskz_scalef_ps(in_range, p, n);
}

// 1 / (1 + e^-x); relative error below 5e-7 for x >= -87.
inline __m512 sigmoid(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0f);
  return _mm512_div_ps(one, _mm512_add_ps(one, exponential(_mm512_sub_ps(_mm512_setzero_ps(), x))));
}

// As the AVX2 one.
inline __m512 hyperbolic_tangent(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512 e = exponential(_mm512_add_ps(x, x));
  const __m512 outer = _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0f), _mm512_add_ps(one, e)));
  const __m512 z = _mm512_mul_ps(x, x);
  __m512 p = _mm512_set1_ps(-0.00570498081f);
  p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(0.0206390824f));
  p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(-0.0537397154f));
  p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(0.133314416f));
  p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(-0.333332807f));
  const __m512 inner = _mm512_fmadd_ps(_mm512_mul_ps(x, z), p, x);
  return _mm512_mask_mov_ps(outer, _mm512_cmp_ps_mask(z, _mm512_set1_ps(0.625f * 0.625f), _CMP_LT_OQ), inner);
}

IMU2MUSIC_TARGET_END
}  // namespace imu2music::inline v0::kernels::avx512
#endif
