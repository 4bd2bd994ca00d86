// Dropout, AVX2: eight blocks of random words at once.
//
// A 64-bit lane holds one word in its lower half, where the 32 x 32 -> 64 multiplication finds it; what the
// upper half holds does not matter until the words are joined.
#pragma once

#include "../dropout_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// The words of the eight blocks from `block` on.
[[gnu::always_inline]] inline void philox_words(std::uint64_t block, std::uint64_t stream, std::uint64_t seed,
                                                std::uint32_t words[32]) {
  const __m256i multiplier0 = _mm256_set1_epi64x(0xD2511F53), multiplier1 = _mm256_set1_epi64x(0xCD9E8D57);
  const __m256i step0 = _mm256_set1_epi32(static_cast<int>(0x9E3779B9u));
  const __m256i step1 = _mm256_set1_epi32(static_cast<int>(0xBB67AE85u));
  __m256i k0 = _mm256_set1_epi64x(static_cast<long long>(seed)), k1 = _mm256_srli_epi64(k0, 32);
  const __m256i first = _mm256_set1_epi64x(static_cast<long long>(block));
  __m256i c0[2], c1[2], c2[2], c3[2];
  // Blocks 0 2 1 3 | 4 6 5 7: the words come out in order below.
  c0[0] = _mm256_add_epi64(first, _mm256_setr_epi64x(0, 2, 1, 3));
  c0[1] = _mm256_add_epi64(first, _mm256_setr_epi64x(4, 6, 5, 7));
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 2; ++i) {
    c1[i] = _mm256_srli_epi64(c0[i], 32);
    c2[i] = _mm256_set1_epi64x(static_cast<long long>(stream));
    c3[i] = _mm256_srli_epi64(c2[i], 32);
  }
  IMU2MUSIC_UNROLL
  for (int round = 0; round < 10; ++round) {
    IMU2MUSIC_UNROLL
    for (int i = 0; i < 2; ++i) {
      const __m256i p0 = _mm256_mul_epu32(multiplier0, c0[i]), p1 = _mm256_mul_epu32(multiplier1, c2[i]);
      c0[i] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c1[i]), k0);
      c1[i] = p1;
      c2[i] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c3[i]), k1);
      c3[i] = p0;
    }
    k0 = _mm256_add_epi32(k0, step0);
    k1 = _mm256_add_epi32(k1, step1);
  }
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 2; ++i) {
    const __m256i low = _mm256_blend_epi32(c0[i], _mm256_slli_epi64(c1[i], 32), 0xaa);
    const __m256i high = _mm256_blend_epi32(c2[i], _mm256_slli_epi64(c3[i], 32), 0xaa);
    _mm256_store_si256(reinterpret_cast<__m256i*>(words + 16 * i), _mm256_unpacklo_epi64(low, high));
    _mm256_store_si256(reinterpret_cast<__m256i*>(words + 16 * i + 8), _mm256_unpackhi_epi64(low, high));
  }
}

inline void dropout_forward(const Context&, const DropoutArguments<float>& a, std::int64_t begin,
                            std::int64_t end) {
  const __m256 scale = _mm256_set1_ps(a.scale);
  const __m256i threshold = _mm256_set1_epi32(static_cast<int>(a.threshold));
  alignas(32) std::uint32_t words[32];
  for (std::int64_t first = begin & ~std::int64_t{3}; first < end; first += 32) {
    philox_words(static_cast<std::uint64_t>(first) / 4, a.stream, a.seed, words);
    std::int64_t n = first < begin ? begin : first;
    const std::int64_t last = first + 32 < end ? first + 32 : end;
    for (; n + 8 <= last; n += 8) {
      const __m256i word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + (n - first)));
      const __m256i kept = _mm256_cmpeq_epi32(_mm256_max_epu32(word, threshold), word);
      _mm256_storeu_ps(
          a.y + n, _mm256_and_ps(_mm256_mul_ps(_mm256_loadu_ps(a.x + n), scale), _mm256_castsi256_ps(kept)));
    }
    if (n < last) {
      const __m256i tail = tail_mask(last - n);
      const __m256i word = _mm256_maskload_epi32(reinterpret_cast<const int*>(words + (n - first)), tail);
      const __m256i kept = _mm256_cmpeq_epi32(_mm256_max_epu32(word, threshold), word);
      _mm256_maskstore_ps(
          a.y + n, tail,
          _mm256_and_ps(_mm256_mul_ps(_mm256_maskload_ps(a.x + n, tail), scale), _mm256_castsi256_ps(kept)));
    }
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, DropoutKernels<float>& table) { table.forward = &avx2::dropout_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
