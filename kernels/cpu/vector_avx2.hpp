// Pieces that several AVX2 kernels share: lane masks, horizontal sums and maxima, and the exponential with
// what is made of it.
#pragma once

#include <cstdint>

#include "../activation.hpp"
#include "isa.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels::avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// A mask of the first `count` of 8 lanes, for maskload and maskstore; count in 0..8.
inline __m256i tail_mask(std::int64_t count) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
}

// Loads and stores of a loop whose last turn has some lanes only; `all` is a constant at every call.
[[gnu::always_inline]] inline __m256 load_lanes(const float* from, __m256i lanes, const bool all) {
  return all ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, lanes);
}
[[gnu::always_inline]] inline void store_lanes(float* to, __m256i lanes, __m256 v, const bool all) {
  if (all)
    _mm256_storeu_ps(to, v);
  else
    _mm256_maskstore_ps(to, lanes, v);
}

// The first min(count, 8) bytes from `bytes` on, one a lane, 0 in the lanes past them; count >= 0.
inline __m256i load_bytes(const std::uint8_t* bytes, std::int64_t count) {
  if (count >= 8) return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
  unsigned long long packed = 0;
  for (std::int64_t i = 0; i < count; ++i) packed |= static_cast<unsigned long long>(bytes[i]) << (8 * i);
  return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(packed)));
}

// The sum of the 8 lanes, always in the same order.
inline float horizontal_sum(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_movehdup_ps(s));
  return _mm_cvtss_f32(s);
}

inline float horizontal_max(__m256 v) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  m = _mm_max_ss(m, _mm_movehdup_ps(m));
  return _mm_cvtss_f32(m);
}

// The sums of the lanes of four vectors, each in the order of horizontal_sum.
inline __m128 horizontal_sums(__m256 a, __m256 b, __m256 c, __m256 d) {
  const __m256 ab = _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
  const __m256 cd = _mm256_add_ps(_mm256_permute2f128_ps(c, d, 0x20), _mm256_permute2f128_ps(c, d, 0x31));
  __m256 s = _mm256_add_ps(_mm256_unpacklo_ps(ab, cd), _mm256_unpackhi_ps(ab, cd));
  s = _mm256_add_ps(s, _mm256_permute_ps(s, 0x4e));  // a c . . | b d . .
  return _mm_unpacklo_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
}

// The functions of activation.hpp; NaN stays NaN: of max and min the second operand is the result where
// either is NaN.
inline __m128 activate(__m128 x, Activation activation, float slope) {
  if (activation == Activation::relu) return _mm_max_ps(_mm_setzero_ps(), x);
  if (activation == Activation::leaky_relu)
    return _mm_blendv_ps(_mm_mul_ps(x, _mm_set1_ps(slope)), x, _mm_cmpgt_ps(x, _mm_setzero_ps()));
  return x;
}
inline __m256 activate(__m256 x, Activation activation, float slope) {
  if (activation == Activation::relu) return _mm256_max_ps(_mm256_setzero_ps(), x);
  if (activation == Activation::leaky_relu)
    return _mm256_blendv_ps(_mm256_mul_ps(x, _mm256_set1_ps(slope)), x,
                            _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ));
  return x;
}

// e^x for x <= 88.37; below -87.33 the result is 0; NaN stays NaN. Cody-Waite reduction x = n ln 2 + r, |r|
// <= ln 2 / 2, and a polynomial of degree 6 in r; relative error below 2.5e-7.
inline __m256 exponential(__m256 x) {
  const __m256 lowest = _mm256_set1_ps(-87.33654f);
  const __m256 in_range = _mm256_cmp_ps(x, lowest, _CMP_NLT_UQ);
  x = _mm256_max_ps(lowest, x);
  x = _mm256_min_ps(_mm256_set1_ps(88.37626f), x);
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 p = _mm256_set1_ps(1.0f / 720.0f);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  const __m256i exponent =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_and_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(exponent)), in_range);
}

// 1 / (1 + e^-x); relative error below 5e-7 for x >= -87.
inline __m256 sigmoid(__m256 x) {
  const __m256 one = _mm256_set1_ps(1.0f);
  return _mm256_div_ps(one, _mm256_add_ps(one, exponential(_mm256_sub_ps(_mm256_setzero_ps(), x))));
}

// Relative error below 5e-7: 1 - 2 / (1 + e^2x), and near 0, where that difference cancels, x + x^3 P(x^2)
// with P fitted for the least relative error (4.4e-9) on |x| < 0.625.
inline __m256 hyperbolic_tangent(__m256 x) {
  const __m256 one = _mm256_set1_ps(1.0f);
  const __m256 e = exponential(_mm256_add_ps(x, x));
  const __m256 outer = _mm256_sub_ps(one, _mm256_div_ps(_mm256_set1_ps(2.0f), _mm256_add_ps(one, e)));
  const __m256 z = _mm256_mul_ps(x, x);
  __m256 p = _mm256_set1_ps(-0.00570498081f);
  p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(0.0206390824f));
  p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(-0.0537397154f));
  p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(0.133314416f));
  p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(-0.333332807f));
  const __m256 inner = _mm256_fmadd_ps(_mm256_mul_ps(x, z), p, x);
  return _mm256_blendv_ps(outer, inner, _mm256_cmp_ps(z, _mm256_set1_ps(0.625f * 0.625f), _CMP_LT_OQ));
}

IMU2MUSIC_TARGET_END
}  // namespace imu2music::inline v0::kernels::avx2
#endif
