// The affine map, AVX-512: lanes over the columns of a panel, one multiply-add an element and k.
//
// Blocks of 6 rows by 64 columns (24 accumulators) share the loads of the panel; a row by itself streams it.
#pragma once

#include "../linear_table.hpp"
#include "linear_scalar.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

constexpr int linear_rows = 6;

// to[r][c] of a 16 x 16 block = from[c][r]; rows of `from` past `count` read as zeros, and columns past `K`.
[[gnu::always_inline]] inline void transpose_16(const float* from, std::int64_t stride, std::int64_t count,
                                                std::int64_t K, __m512* rows) {
  const __mmask16 lanes = lanes_left(K);
  __m512 t[16];
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 16; ++i)
    rows[i] = i < count ? _mm512_maskz_loadu_ps(lanes, from + i * stride) : _mm512_setzero_ps();
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 16; i += 4) {
    rows[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    rows[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
    rows[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    rows[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0xdd);
  }
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 4; ++i) {
    rows[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    rows[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
    rows[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    rows[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

inline void linear_pack_plain(const LinearPackArguments<float>& a, std::int64_t n_begin, std::int64_t n_end) {
  float* packed = static_cast<float*>(a.packed);
  for (std::int64_t n = n_begin; n < n_end; n += linear_panel) {
    const std::int64_t width = linear_panel_width(a.N, n);
    for (std::int64_t k = 0; k < a.K; k += 16) {
      const std::int64_t deep = a.K - k < 16 ? a.K - k : 16;
      for (std::int64_t c = 0; c < width; c += 16) {
        __m512 rows[16];
        const float* from = a.W + (n + c) * a.K + k;
        if (n + c + 16 <= a.N)
          transpose_16(from, a.K, 16, deep, rows);
        else
          transpose_16(from, a.K, a.N - n - c, deep, rows);
        float* to = packed + n * a.K + k * width + c;
        IMU2MUSIC_UNROLL
        for (int r = 0; r < 16; ++r)
          if (r < deep) _mm512_storeu_ps(to + r * width, rows[r]);
      }
    }
  }
}

// Vectors first..first + 2 (of `linear_group` columns) of one row of a panel.
[[gnu::always_inline]] inline void linear_weights(const char* row, const int group, const WeightFormat format,
                                                  __m512& low, __m512& high) {
  if (format == WeightFormat::plain) {
    low = _mm512_loadu_ps(row + 128 * group);
    high = _mm512_loadu_ps(row + 128 * group + 64);
  } else if (format == WeightFormat::bf16) {
    const __m512i words = _mm512_loadu_si512(row + 64 * group);
    low = _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
    high = _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
  } else {
    const char* at = row + 32 * group;
    low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
    high =
        _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16))));
  }
}

// Rows m..m + rows of the panel that begins at n and is 16 vectors wide; rows in 1..6, vectors 2 or 4.
[[gnu::always_inline]] inline void linear_block(const LinearArguments<float>& a, std::int64_t m,
                                                std::int64_t n, const int rows, const int vectors,
                                                const WeightFormat format) {
  const int groups = vectors / 2;
  const std::int64_t step = linear_group * groups * bytes_of(format, 4);
  const char* row = static_cast<const char*>(a.W) + n * a.K * bytes_of(format, 4);
  const float* x[linear_rows];
  __m512 sums[linear_rows][4];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    x[r] = a.x + (m + r) * a.x_stride;
    IMU2MUSIC_UNROLL
    for (int v = 0; v < vectors; ++v) sums[r][v] = _mm512_setzero_ps();
  }
  const std::int64_t segment = a.segment > 0 ? a.segment : a.K;
  for (std::int64_t left = a.K; left > 0; left -= segment) {
    for (std::int64_t k = 0; k < segment; ++k, row += step) {
      __m512 w[4];
      IMU2MUSIC_UNROLL
      for (int g = 0; g < groups; ++g) linear_weights(row, g, format, w[2 * g], w[2 * g + 1]);
      // The conversions hold the loads back too long for the processor's own prefetching.
      if (rows == 1 && format == WeightFormat::int8) _mm_prefetch(row + 4096, _MM_HINT_T0);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < rows; ++r) {
        const __m512 xk = _mm512_set1_ps(x[r][k]);
        IMU2MUSIC_UNROLL
        for (int v = 0; v < vectors; ++v) sums[r][v] = _mm512_fmadd_ps(xk, w[v], sums[r][v]);
      }
    }
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) x[r] += a.segment_step;
  }
  __mmask16 lanes[4];
  IMU2MUSIC_UNROLL
  for (int v = 0; v < vectors; ++v) {
    lanes[v] = a.N - n > 16 * v ? lanes_left(a.N - n - 16 * v) : __mmask16{0};
    if (format == WeightFormat::int8) {
      const __m512 scale = _mm512_maskz_loadu_ps(lanes[v], a.scale + n + 16 * v);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < rows; ++r) sums[r][v] = _mm512_mul_ps(sums[r][v], scale);
    }
    if (a.b != nullptr) {
      const __m512 bias = _mm512_maskz_loadu_ps(lanes[v], a.b + n + 16 * v);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < rows; ++r) sums[r][v] = _mm512_add_ps(sums[r][v], bias);
    }
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r)
      _mm512_mask_storeu_ps(a.y + (m + r) * a.y_stride + n + 16 * v, lanes[v], sums[r][v]);
  }
  if (a.activation == Activation::none) return;
  // Row by row where they were stored: registers that are numbered would want this code once for each.
  for (std::int64_t r = m; r < m + rows; ++r) {
    IMU2MUSIC_UNROLL
    for (int v = 0; v < vectors; ++v) {
      float* y = a.y + r * a.y_stride + n + 16 * v;
      _mm512_mask_storeu_ps(y, lanes[v], activate(_mm512_maskz_loadu_ps(lanes[v], y), a.activation, a.slope));
    }
  }
}

[[gnu::always_inline]] inline void linear_panel_rows(const LinearArguments<float>& a, std::int64_t m_begin,
                                                     std::int64_t m_end, std::int64_t n, const int vectors,
                                                     const WeightFormat format) {
  std::int64_t m = m_begin;
  for (; m + 6 <= m_end; m += 6) linear_block(a, m, n, 6, vectors, format);
  if (vectors == 4) {
    const std::int64_t left = m_end - m;
    if (left == 5) linear_block(a, m, n, 5, vectors, format);
    if (left == 4) linear_block(a, m, n, 4, vectors, format);
    if (left == 3) linear_block(a, m, n, 3, vectors, format);
    if (left == 2) linear_block(a, m, n, 2, vectors, format);
    if (left == 1) linear_block(a, m, n, 1, vectors, format);
  } else {  // the last panel at most: less code
    if (m + 3 <= m_end) linear_block(a, m, n, 3, vectors, format), m += 3;
    for (; m < m_end; ++m) linear_block(a, m, n, 1, vectors, format);
  }
}

// One copy of the code above for each format.
[[gnu::always_inline]] inline void linear_panels(const LinearArguments<float>& a, std::int64_t m_begin,
                                                 std::int64_t m_end, std::int64_t n_begin, std::int64_t n_end,
                                                 const WeightFormat format) {
  // Rows of x, at most 256 KiB, stay in the second-level cache while the panels go by.
  std::int64_t chunk = 65536 / (a.K + 1) / linear_rows * linear_rows;
  if (chunk < linear_rows) chunk = linear_rows;
  for (std::int64_t m = m_begin; m < m_end; m += chunk) {
    const std::int64_t end = m + chunk < m_end ? m + chunk : m_end;
    for (std::int64_t n = n_begin; n < n_end; n += linear_panel) {
      if (linear_panel_width(a.N, n) == linear_panel)
        linear_panel_rows(a, m, end, n, 4, format);
      else
        linear_panel_rows(a, m, end, n, 2, format);
    }
  }
}

inline void linear_forward(const Context&, const LinearArguments<float>& a, std::int64_t m_begin,
                           std::int64_t m_end, std::int64_t n_begin, std::int64_t n_end) {
  if (a.format == WeightFormat::plain)
    linear_panels(a, m_begin, m_end, n_begin, n_end, WeightFormat::plain);
  else if (a.format == WeightFormat::bf16)
    linear_panels(a, m_begin, m_end, n_begin, n_end, WeightFormat::bf16);
  else
    linear_panels(a, m_begin, m_end, n_begin, n_end, WeightFormat::int8);
}

IMU2MUSIC_TARGET_END

// The plain format is packed at every step of training, the others once, where a file is read.
inline void linear_pack(const Context& context, const LinearPackArguments<float>& a, std::int64_t n_begin,
                        std::int64_t n_end) {
  if (a.format == WeightFormat::plain)
    linear_pack_plain(a, n_begin, n_end);
  else
    scalar::linear_pack(context, a, n_begin, n_end);
}

}  // namespace avx512

inline void install(Avx512Tag, LinearKernels<float>& table) {
  table.pack = &avx512::linear_pack;
  table.forward = &avx512::linear_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
