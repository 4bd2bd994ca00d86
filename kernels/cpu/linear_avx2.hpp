// The affine map, AVX2 and FMA.
//
// Each element has one accumulator, lanes over k: lane l sums the k with k mod 8 = l, in rising order; the
// lanes are added in the order of horizontal_sum. Blocks of 3 rows by 4 columns (1 by 8 for a single row,
// where W is read once) share loads; the block's shape does not touch an element's order.
#pragma once

#include "../linear_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// Rows m.. and columns n.. of y; rows in 1..3 and columns in {1, 4, 8} are constants at every call.
[[gnu::always_inline]] inline void linear_block(const LinearArguments<float>& a, std::int64_t m,
                                                std::int64_t n, const int rows, const int columns) {
  const std::int64_t full = a.K & ~std::int64_t{7};
  const float* x[3];
  const float* w[8];
  __m256 sums[3][8];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) x[r] = a.x + (m + r) * a.x_stride;
  IMU2MUSIC_UNROLL
  for (int c = 0; c < columns; ++c) w[c] = a.W + (n + c) * a.K;
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    IMU2MUSIC_UNROLL
    for (int c = 0; c < columns; ++c) sums[r][c] = _mm256_setzero_ps();
  }
  for (std::int64_t k = 0; k < full; k += 8) {
    __m256 xk[3];
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) xk[r] = _mm256_loadu_ps(x[r] + k);
    IMU2MUSIC_UNROLL
    for (int c = 0; c < columns; ++c) {
      const __m256 wk = _mm256_loadu_ps(w[c] + k);
      if (columns == 8)  // the next eight rows, long before a single row of x needs them
        _mm_prefetch(reinterpret_cast<const char*>(w[c] + k + 8 * a.K), _MM_HINT_T0);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < rows; ++r) sums[r][c] = _mm256_fmadd_ps(xk[r], wk, sums[r][c]);
    }
  }
  if (full < a.K) {
    const __m256i tail = tail_mask(a.K - full);
    __m256 xk[3];
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) xk[r] = _mm256_maskload_ps(x[r] + full, tail);
    IMU2MUSIC_UNROLL
    for (int c = 0; c < columns; ++c) {
      const __m256 wk = _mm256_maskload_ps(w[c] + full, tail);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < rows; ++r) sums[r][c] = _mm256_fmadd_ps(xk[r], wk, sums[r][c]);
    }
  }
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    float* y = a.y + (m + r) * a.y_stride + n;
    if (columns == 1) {
      __m128 sum = _mm_set_ss(horizontal_sum(sums[r][0]));
      if (a.b != nullptr) sum = _mm_add_ss(sum, _mm_set_ss(a.b[n]));
      _mm_store_ss(y, activate(sum, a.activation, a.slope));
      continue;
    }
    IMU2MUSIC_UNROLL
    for (int c = 0; c + 4 <= columns; c += 4) {
      __m128 four = horizontal_sums(sums[r][c], sums[r][c + 1], sums[r][c + 2], sums[r][c + 3]);
      if (a.b != nullptr) four = _mm_add_ps(four, _mm_loadu_ps(a.b + n + c));
      _mm_storeu_ps(y + c, activate(four, a.activation, a.slope));
    }
  }
}

// All rows m_begin..m_end of a few columns.
[[gnu::always_inline]] inline void linear_columns(const LinearArguments<float>& a, std::int64_t m_begin,
                                                  std::int64_t m_end, std::int64_t n, const int columns) {
  std::int64_t m = m_begin;
  for (; m + 3 <= m_end; m += 3) linear_block(a, m, n, 3, columns);
  const std::int64_t left = m_end - m;
  if (left == 2) linear_block(a, m, n, 2, columns);
  if (left == 1) linear_block(a, m, n, 1, columns);
}

inline void linear_forward(const Context&, const LinearArguments<float>& a, std::int64_t m_begin,
                           std::int64_t m_end, std::int64_t n_begin, std::int64_t n_end) {
  if (m_end - m_begin == 1) {
    std::int64_t n = n_begin;
    for (; n + 8 <= n_end; n += 8) linear_block(a, m_begin, n, 1, 8);
    if (n + 4 <= n_end) {
      linear_block(a, m_begin, n, 1, 4);
      n += 4;
    }
    for (; n < n_end; ++n) linear_block(a, m_begin, n, 1, 1);
    return;
  }
  // A few rows of W stay in the first-level cache while rows of x go by, and those, at most 256 KiB, in the
  // second.
  std::int64_t chunk = 65536 / (a.K + 1) / 3 * 3;
  if (chunk < 3) chunk = 3;
  for (std::int64_t m = m_begin; m < m_end; m += chunk) {
    const std::int64_t end = m + chunk < m_end ? m + chunk : m_end;
    std::int64_t n = n_begin;
    for (; n + 4 <= n_end; n += 4) linear_columns(a, m, end, n, 4);
    for (; n < n_end; ++n) linear_columns(a, m, end, n, 1);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, LinearKernels<float>& table) { table.forward = &avx2::linear_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
