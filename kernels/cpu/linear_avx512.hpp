// The affine map, AVX-512.
//
// Each element has one accumulator, lanes over k: lane l sums the k with k mod 16 = l, in rising order; the
// lanes are added in the order of horizontal_sum. Blocks of 6 rows by 4 columns (1 by 8 for a single row,
// where W is read once) share loads; the block's shape does not touch an element's order.
#pragma once

#include "../linear_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// Rows m.. and columns n.. of y; rows in 1..6 and columns in {1, 4, 8} are constants at every call.
[[gnu::always_inline]] inline void linear_block(const LinearArguments<float>& a, std::int64_t m,
                                                std::int64_t n, const int rows, const int columns) {
  const std::int64_t full = a.K & ~std::int64_t{15};
  const float* x[6];
  const float* w[8];
  __m512 sums[6][8];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) x[r] = a.x + (m + r) * a.x_stride;
  IMU2MUSIC_UNROLL
  for (int c = 0; c < columns; ++c) w[c] = a.W + (n + c) * a.K;
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    IMU2MUSIC_UNROLL
    for (int c = 0; c < columns; ++c) sums[r][c] = _mm512_setzero_ps();
  }
  for (std::int64_t k = 0; k < full; k += 16) {
    __m512 xk[6];
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) xk[r] = _mm512_loadu_ps(x[r] + k);
    IMU2MUSIC_UNROLL
    for (int c = 0; c < columns; ++c) {
      const __m512 wk = _mm512_loadu_ps(w[c] + k);
      if (columns == 8)  // the next eight rows, long before a single row of x needs them
        _mm_prefetch(reinterpret_cast<const char*>(w[c] + k + 8 * a.K), _MM_HINT_T0);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < rows; ++r) sums[r][c] = _mm512_fmadd_ps(xk[r], wk, sums[r][c]);
    }
  }
  if (full < a.K) {
    const __mmask16 tail = lanes_left(a.K - full);
    __m512 xk[6];
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) xk[r] = _mm512_maskz_loadu_ps(tail, x[r] + full);
    IMU2MUSIC_UNROLL
    for (int c = 0; c < columns; ++c) {
      const __m512 wk = _mm512_maskz_loadu_ps(tail, w[c] + full);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < rows; ++r) sums[r][c] = _mm512_fmadd_ps(xk[r], wk, sums[r][c]);
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
  for (; m + 6 <= m_end; m += 6) linear_block(a, m, n, 6, columns);
  const std::int64_t left = m_end - m;
  if (left == 5) linear_block(a, m, n, 5, columns);
  if (left == 4) linear_block(a, m, n, 4, columns);
  if (left == 3) linear_block(a, m, n, 3, columns);
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
  std::int64_t chunk = 65536 / (a.K + 1) / 6 * 6;
  if (chunk < 6) chunk = 6;
  for (std::int64_t m = m_begin; m < m_end; m += chunk) {
    const std::int64_t end = m + chunk < m_end ? m + chunk : m_end;
    std::int64_t n = n_begin;
    for (; n + 4 <= n_end; n += 4) linear_columns(a, m, end, n, 4);
    for (; n < n_end; ++n) linear_columns(a, m, end, n, 1);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, LinearKernels<float>& table) { table.forward = &avx512::linear_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
