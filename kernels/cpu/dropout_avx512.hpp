// Dropout, AVX-512: sixteen blocks of random words at once, laid out as in the AVX2 column.
#pragma once

#include "../dropout_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// The words of the sixteen blocks from `block` on.
[[gnu::always_inline]] inline void philox_words(std::uint64_t block, std::uint64_t stream, std::uint64_t seed,
                                                std::uint32_t words[64]) {
  const __m512i multiplier0 = _mm512_set1_epi64(0xD2511F53), multiplier1 = _mm512_set1_epi64(0xCD9E8D57);
  const __m512i step0 = _mm512_set1_epi32(static_cast<int>(0x9E3779B9u));
  const __m512i step1 = _mm512_set1_epi32(static_cast<int>(0xBB67AE85u));
  __m512i k0 = _mm512_set1_epi64(static_cast<long long>(seed)), k1 = _mm512_srli_epi64(k0, 32);
  const __m512i first = _mm512_set1_epi64(static_cast<long long>(block));
  __m512i c0[2], c1[2], c2[2], c3[2];
  // Every second lane first: the words come out in order below.
  c0[0] = _mm512_add_epi64(first, _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));
  c0[1] = _mm512_add_epi64(first, _mm512_setr_epi64(8, 12, 9, 13, 10, 14, 11, 15));
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 2; ++i) {
    c1[i] = _mm512_srli_epi64(c0[i], 32);
    c2[i] = _mm512_set1_epi64(static_cast<long long>(stream));
    c3[i] = _mm512_srli_epi64(c2[i], 32);
  }
  IMU2MUSIC_UNROLL
  for (int round = 0; round < 10; ++round) {
    IMU2MUSIC_UNROLL
    for (int i = 0; i < 2; ++i) {
      const __m512i p0 = _mm512_mul_epu32(multiplier0, c0[i]), p1 = _mm512_mul_epu32(multiplier1, c2[i]);
      c0[i] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), c1[i], k0, 0x96);  // exclusive or of three
      c1[i] = p1;
      c2[i] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), c3[i], k1, 0x96);
      c3[i] = p0;
    }
    k0 = _mm512_add_epi32(k0, step0);
    k1 = _mm512_add_epi32(k1, step1);
  }
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 2; ++i) {
    const __m512i low = _mm512_mask_mov_epi32(c0[i], 0xaaaa, _mm512_slli_epi64(c1[i], 32));
    const __m512i high = _mm512_mask_mov_epi32(c2[i], 0xaaaa, _mm512_slli_epi64(c3[i], 32));
    _mm512_store_si512(words + 32 * i, _mm512_unpacklo_epi64(low, high));
    _mm512_store_si512(words + 32 * i + 16, _mm512_unpackhi_epi64(low, high));
  }
}

inline void dropout_forward(const Context&, const DropoutArguments<float>& a, std::int64_t begin,
                            std::int64_t end) {
  const __m512 scale = _mm512_set1_ps(a.scale);
  const __m512i threshold = _mm512_set1_epi32(static_cast<int>(a.threshold));
  alignas(64) std::uint32_t words[64];
  for (std::int64_t first = begin & ~std::int64_t{3}; first < end; first += 64) {
    philox_words(static_cast<std::uint64_t>(first) / 4, a.stream, a.seed, words);
    const std::int64_t last = first + 64 < end ? first + 64 : end;
    for (std::int64_t n = first < begin ? begin : first; n < last; n += 16) {
      const __mmask16 lanes = lanes_left(last - n);
      const __m512i word = _mm512_maskz_loadu_epi32(lanes, words + (n - first));
      const __mmask16 kept = _mm512_mask_cmpge_epu32_mask(lanes, word, threshold);
      _mm512_mask_storeu_ps(a.y + n, lanes,
                            _mm512_maskz_mul_ps(kept, _mm512_maskz_loadu_ps(lanes, a.x + n), scale));
    }
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, DropoutKernels<float>& table) { table.forward = &avx512::dropout_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
