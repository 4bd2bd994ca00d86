// Magnitude spectra of short rows, AVX2: lanes over the bins k, four rows side by side.
#pragma once

#include "../spectrum_table.hpp"
#include "isa.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

[[gnu::always_inline]] inline void spectrum_rows(const SpectrumArguments<float>& a, std::int64_t row,
                                                 const int rows) {
  const std::int64_t bins = a.length / 2 + 1, stride = spectrum_stride(a.length);
  const float* x = a.x + row * a.length;
  for (std::int64_t k = 0; k < bins; k += 4) {
    __m256d real[4], imaginary[4];
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) real[r] = imaginary[r] = _mm256_setzero_pd();
    const double* waves = a.waves + k;
    for (std::int64_t n = 0; n < a.length; ++n, waves += 2 * stride) {
      const __m256d cosine = _mm256_loadu_pd(waves), sine = _mm256_loadu_pd(waves + stride);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < rows; ++r) {
        const __m256d value = _mm256_set1_pd(a.window[n] * static_cast<double>(x[r * a.length + n]));
        real[r] = _mm256_fmadd_pd(value, cosine, real[r]);
        imaginary[r] = _mm256_fmadd_pd(value, sine, imaginary[r]);
      }
    }
    const __m128i lanes = _mm_cmpgt_epi32(_mm_set1_epi32(static_cast<int>(bins - k < 4 ? bins - k : 4)),
                                          _mm_setr_epi32(0, 1, 2, 3));
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) {
      const __m256d square = _mm256_fmadd_pd(real[r], real[r], _mm256_mul_pd(imaginary[r], imaginary[r]));
      _mm_maskstore_ps(a.y + (row + r) * bins + k, lanes, _mm256_cvtpd_ps(_mm256_sqrt_pd(square)));
    }
  }
}

inline void spectrum_forward(const Context&, const SpectrumArguments<float>& a, std::int64_t r_begin,
                             std::int64_t r_end) {
  std::int64_t row = r_begin;
  for (; row + 4 <= r_end; row += 4) spectrum_rows(a, row, 4);
  for (; row < r_end; ++row) spectrum_rows(a, row, 1);
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, SpectrumKernels<float>& table) { table.forward = &avx2::spectrum_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
