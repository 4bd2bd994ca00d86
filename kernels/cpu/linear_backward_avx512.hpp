// The affine map's gradients, AVX-512.
//
// Both are products of matrices, C[i][j] = sum_p A[i][p] B[p][j]: dx with A = dy, B = W, and dW with A =
// dy^T, B = x. A block of 8 rows i by 32 columns j stands in registers, lanes over j, while p runs over a
// stretch of 128: A's numbers are spread over a vector one by one, B's come from a panel of 32 columns that
// is laid out in the order of use. Every element has one accumulator a stretch, in rising p; the stretches
// are added in rising order. So its bits depend on the number of p alone.
#pragma once

#include "../linear_backward_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

constexpr int gradient_rows = 8, gradient_columns = 32, gradient_stretch = 128;

// panel[p][0..32) = B[p][0..columns), zeros after them.
inline void gradient_panel(const float* B, std::int64_t B_stride, std::int64_t P, std::int64_t columns,
                           float* panel) {
  const __mmask16 low = lanes_left(columns), high = lanes_left(columns < 16 ? 0 : columns - 16);
  for (std::int64_t p = 0; p < P; ++p) {
    _mm512_store_ps(panel + gradient_columns * p, _mm512_maskz_loadu_ps(low, B + p * B_stride));
    _mm512_store_ps(panel + gradient_columns * p + 16, _mm512_maskz_loadu_ps(high, B + p * B_stride + 16));
  }
}

// C[r][0..columns) (+)= sum_p A_r[p] panel[p], r < rows, where A_r[p] stands at A[r row_step + p step]; rows
// in 1..8, columns >= 1, of which 32 are computed at most; `add`: to what C holds.
[[gnu::always_inline]] inline void gradient_block(const float* A, std::int64_t row_step,
                                                  const std::int64_t step, const float* panel, std::int64_t P,
                                                  float* C, std::int64_t C_stride, std::int64_t rows,
                                                  std::int64_t columns, bool add) {
  const float* a[gradient_rows];
  __m512 sums[gradient_rows][2];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < gradient_rows; ++r) {
    a[r] = A + (r < rows ? r : rows - 1) * row_step;  // rows past the last repeat it and are not stored
    sums[r][0] = _mm512_setzero_ps();
    sums[r][1] = _mm512_setzero_ps();
  }
  for (std::int64_t p = 0; p < P; ++p) {
    const __m512 b0 = _mm512_load_ps(panel + gradient_columns * p);
    const __m512 b1 = _mm512_load_ps(panel + gradient_columns * p + 16);
    IMU2MUSIC_UNROLL
    for (int r = 0; r < gradient_rows; ++r) {
      const __m512 g = _mm512_set1_ps(a[r][p * step]);
      sums[r][0] = _mm512_fmadd_ps(g, b0, sums[r][0]);
      sums[r][1] = _mm512_fmadd_ps(g, b1, sums[r][1]);
    }
  }
  const __mmask16 low = lanes_left(columns), high = lanes_left(columns < 16 ? 0 : columns - 16);
  IMU2MUSIC_UNROLL
  for (int r = 0; r < gradient_rows; ++r) {
    if (r >= rows) break;
    float* c = C + r * C_stride;
    if (add) {
      sums[r][0] = _mm512_add_ps(_mm512_maskz_loadu_ps(low, c), sums[r][0]);
      sums[r][1] = _mm512_add_ps(_mm512_maskz_loadu_ps(high, c + 16), sums[r][1]);
    }
    _mm512_mask_storeu_ps(c, low, sums[r][0]);
    _mm512_mask_storeu_ps(c + 16, high, sums[r][1]);
  }
}

inline void linear_input_gradient(const Context&, const LinearInputGradientArguments<float>& a,
                                  std::int64_t m_begin, std::int64_t m_end) {
  alignas(64) float panel[gradient_stretch * gradient_columns];
  // 256 rows of dy, 128 KiB a stretch, stay in the second-level cache while the panels go by.
  for (std::int64_t first = m_begin; first < m_end; first += 256) {
    const std::int64_t last = first + 256 < m_end ? first + 256 : m_end;
    std::int64_t n = 0;
    do {  // once even where N = 0, to write zeros
      const std::int64_t P = n + gradient_stretch < a.N ? gradient_stretch : a.N - n;
      for (std::int64_t k = 0; k < a.K; k += gradient_columns) {
        gradient_panel(a.W + n * a.K + k, a.K, P, a.K - k, panel);
        for (std::int64_t m = first; m < last; m += gradient_rows)
          gradient_block(a.dy + m * a.dy_stride + n, a.dy_stride, 1, panel, P, a.dx + m * a.dx_stride + k,
                         a.dx_stride, last - m, a.K - k, n > 0);
      }
      n += gradient_stretch;
    } while (n < a.N);
  }
}

// db[n] += the column sums of `count` rows of dy, each column in the order of the rows.
inline void gradient_bias(const float* dy, std::int64_t dy_stride, std::int64_t count, float* db,
                          std::int64_t n_begin, std::int64_t n_end) {
  for (std::int64_t n = n_begin; n < n_end; n += 16) {
    const __mmask16 lanes = lanes_left(n_end - n);
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t m = 0; m < count; ++m)
      sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(lanes, dy + m * dy_stride + n));
    _mm512_mask_storeu_ps(db + n, lanes, _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, db + n), sum));
  }
}

inline void linear_weight_gradient(const Context&, const LinearWeightGradientArguments<float>& a,
                                   std::int64_t n_begin, std::int64_t n_end) {
  constexpr std::int64_t outputs = 128;  // at once: dy^T of a stretch takes 64 KiB
  alignas(64) float panel[gradient_stretch * gradient_columns];
  alignas(64) float turned[outputs * gradient_stretch];
  for (std::int64_t m = 0; m < a.M; m += gradient_stretch) {
    const std::int64_t P = m + gradient_stretch < a.M ? gradient_stretch : a.M - m;
    const float* dy = a.dy + m * a.dy_stride;
    if (a.db != nullptr) gradient_bias(dy, a.dy_stride, P, a.db, n_begin, n_end);
    if (a.dW == nullptr) continue;
    for (std::int64_t first = n_begin; first < n_end; first += outputs) {
      const std::int64_t last = first + outputs < n_end ? first + outputs : n_end;
      // turned[block of 8 outputs][p][8]
      for (std::int64_t n = first; n < last; n += gradient_rows) {
        const __mmask8 lanes = static_cast<__mmask8>(lanes_left(last - n));
        float* to = turned + (n - first) * P;
        for (std::int64_t p = 0; p < P; ++p)
          _mm256_store_ps(to + gradient_rows * p, _mm256_maskz_loadu_ps(lanes, dy + p * a.dy_stride + n));
      }
      for (std::int64_t k = 0; k < a.K; k += gradient_columns) {
        gradient_panel(a.x + m * a.x_stride + k, a.x_stride, P, a.K - k, panel);
        for (std::int64_t n = first; n < last; n += gradient_rows)
          gradient_block(turned + (n - first) * P, 1, gradient_rows, panel, P, a.dW + n * a.K + k, a.K,
                         last - n, a.K - k, true);
      }
    }
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, LinearBackwardKernels<float>& table) {
  table.input = &avx512::linear_input_gradient;
  table.weight = &avx512::linear_weight_gradient;
}

}  // namespace imu2music::inline v0::kernels
#endif
