// The affine map, AVX2 and FMA: lanes over the columns of a panel, one multiply-add an element and k.
//
// Blocks of 3 rows by 32 columns (12 accumulators) share the loads of the panel; a row by itself takes 64
// columns at once.
#pragma once

#include "../linear_table.hpp"
#include "linear_scalar.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

constexpr int linear_rows = 3;

// rows[c][r] of an 8 x 8 block = from[r][c]; rows of `from` past `count` read as zeros, and columns past K.
[[gnu::always_inline]] inline void transpose_8(const float* from, std::int64_t stride, std::int64_t count,
                                               std::int64_t K, __m256* rows) {
  const __m256i lanes = tail_mask(K < 8 ? K : 8);
  __m256 t[8];
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 8; ++i)
    rows[i] = i < count ? _mm256_maskload_ps(from + i * stride, lanes) : _mm256_setzero_ps();
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 8; i += 4) {
    rows[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    rows[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    rows[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    rows[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 4; ++i) {
    const __m256 low = rows[i], high = rows[i + 4];
    rows[i] = _mm256_permute2f128_ps(low, high, 0x20);
    rows[i + 4] = _mm256_permute2f128_ps(low, high, 0x31);
  }
}

inline void linear_pack_plain(const LinearPackArguments<float>& a, std::int64_t n_begin, std::int64_t n_end) {
  float* packed = static_cast<float*>(a.packed);
  for (std::int64_t n = n_begin; n < n_end; n += linear_panel) {
    const std::int64_t width = linear_panel_width(a.N, n);
    for (std::int64_t k = 0; k < a.K; k += 8) {
      const std::int64_t deep = a.K - k < 8 ? a.K - k : 8;
      for (std::int64_t c = 0; c < width; c += 8) {
        __m256 rows[8];
        const float* from = a.W + (n + c) * a.K + k;
        if (n + c + 8 <= a.N)
          transpose_8(from, a.K, 8, deep, rows);
        else
          transpose_8(from, a.K, a.N - n - c, deep, rows);
        float* to = packed + n * a.K + k * width + c;
        IMU2MUSIC_UNROLL
        for (int r = 0; r < 8; ++r)
          if (r < deep) _mm256_storeu_ps(to + r * width, rows[r]);
      }
    }
  }
}

// The four vectors of a group of columns in one row of a panel.
[[gnu::always_inline]] inline void linear_weights(const char* row, const int group, const WeightFormat format,
                                                  __m256* w) {
  if (format == WeightFormat::plain) {
    IMU2MUSIC_UNROLL
    for (int v = 0; v < 4; ++v)
      w[v] = _mm256_loadu_ps(reinterpret_cast<const float*>(row + 128 * group + 32 * v));
  } else if (format == WeightFormat::bf16) {
    const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
    IMU2MUSIC_UNROLL
    for (int v = 0; v < 2; ++v) {
      const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 64 * group + 32 * v));
      w[v] = _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
      w[v + 2] = _mm256_castsi256_ps(_mm256_and_si256(words, upper));
    }
  } else {
    IMU2MUSIC_UNROLL
    for (int v = 0; v < 4; ++v)
      w[v] = _mm256_cvtepi32_ps(
          _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(row + 32 * group + 8 * v))));
  }
}

// Rows m..m + rows, and `groups` groups of columns from group `first` on of the panel that begins at n and
// is `width` wide; rows groups <= 3.
[[gnu::always_inline]] inline void linear_block(const LinearArguments<float>& a, std::int64_t m,
                                                std::int64_t n, std::int64_t width, const int first,
                                                const int rows, const int groups, const WeightFormat format) {
  const std::int64_t step = width * bytes_of(format, 4);
  const char* row = static_cast<const char*>(a.W) + n * a.K * bytes_of(format, 4);
  const float* x[linear_rows];
  __m256 sums[linear_rows][8];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    x[r] = a.x + (m + r) * a.x_stride;
    IMU2MUSIC_UNROLL
    for (int v = 0; v < 4 * groups; ++v) sums[r][v] = _mm256_setzero_ps();
  }
  const std::int64_t segment = a.segment > 0 ? a.segment : a.K;
  for (std::int64_t left = a.K; left > 0; left -= segment) {
    for (std::int64_t k = 0; k < segment; ++k, row += step) {
      // The conversions hold the loads back too long for the processor's own prefetching.
      if (rows == 1 && format == WeightFormat::int8) _mm_prefetch(row + 4096, _MM_HINT_T0);
      IMU2MUSIC_UNROLL
      for (int g = 0; g < groups; ++g) {
        __m256 w[4];
        linear_weights(row, first + g, format, w);
        IMU2MUSIC_UNROLL
        for (int r = 0; r < rows; ++r) {
          const __m256 xk = _mm256_broadcast_ss(x[r] + k);
          IMU2MUSIC_UNROLL
          for (int v = 0; v < 4; ++v) sums[r][4 * g + v] = _mm256_fmadd_ps(xk, w[v], sums[r][4 * g + v]);
        }
      }
    }
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) x[r] += a.segment_step;
  }
  // Stored as they are, and what is left to do row by row there: registers that are numbered would want that
  // code once for each.
  const bool more = a.b != nullptr || a.activation != Activation::none || format == WeightFormat::int8;
  IMU2MUSIC_UNROLL
  for (int v = 0; v < 4 * groups; ++v) {
    const std::int64_t column = n + linear_group * first + 8 * v;
    if (column >= a.N) break;
    const bool all = a.N - column >= 8;
    const __m256i lanes = tail_mask(all ? 8 : a.N - column);
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) store_lanes(a.y + (m + r) * a.y_stride + column, lanes, sums[r][v], all);
  }
  if (!more) return;
  const std::int64_t begin = n + linear_group * first;
  const std::int64_t end = begin + linear_group * groups < a.N ? begin + linear_group * groups : a.N;
  for (std::int64_t column = begin; column < end; column += 8) {
    const bool all = end - column >= 8;
    const __m256i lanes = tail_mask(all ? 8 : end - column);
    for (std::int64_t r = m; r < m + rows; ++r) {
      float* y = a.y + r * a.y_stride + column;
      __m256 sum = load_lanes(y, lanes, all);
      if (format == WeightFormat::int8) sum = _mm256_mul_ps(sum, load_lanes(a.scale + column, lanes, all));
      if (a.b != nullptr) sum = _mm256_add_ps(sum, load_lanes(a.b + column, lanes, all));
      store_lanes(y, lanes, activate(sum, a.activation, a.slope), all);
    }
  }
}

// One copy for each format.
[[gnu::always_inline]] inline void linear_panels(const LinearArguments<float>& a, std::int64_t m_begin,
                                                 std::int64_t m_end, std::int64_t n_begin, std::int64_t n_end,
                                                 const WeightFormat format) {
  // Rows of x, at most 256 KiB, stay in the second-level cache while the panels go by.
  std::int64_t chunk = 65536 / (a.K + 1) / linear_rows * linear_rows;
  if (chunk < linear_rows) chunk = linear_rows;
  for (std::int64_t begin = m_begin; begin < m_end; begin += chunk) {
    const std::int64_t end = begin + chunk < m_end ? begin + chunk : m_end;
    for (std::int64_t n = n_begin; n < n_end; n += linear_panel) {
      const std::int64_t width = linear_panel_width(a.N, n);
      if (end - begin == 1 && width == linear_panel) {
        linear_block(a, begin, n, width, 0, 1, 2, format);
        continue;
      }
      for (int g = 0; g < width / linear_group; ++g) {
        std::int64_t m = begin;
        for (; m + 3 <= end; m += 3) linear_block(a, m, n, width, g, 3, 1, format);
        if (end - m == 2) linear_block(a, m, n, width, g, 2, 1, format);
        if (end - m == 1) linear_block(a, m, n, width, g, 1, 1, format);
      }
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

}  // namespace avx2

inline void install(Avx2Tag, LinearKernels<float>& table) {
  table.pack = &avx2::linear_pack;
  table.forward = &avx2::linear_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
