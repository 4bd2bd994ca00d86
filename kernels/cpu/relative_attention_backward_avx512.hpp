// The gradient of attention with relative positions, AVX-512.
//
// Keys are taken in tiles of 64 and, for each, queries in blocks of 32. For such a pair the probabilities and
// the scores' gradients, lanes over keys, go to two small panels; all the rest are products of these panels
// with rows of queries, keys, gradients and Er, lanes along the head's width, a few rows at a time in
// registers. A tile's keys and values are turned once, and its gradients stand in panels until the last query
// has passed.
//
// A score is summed as the forward pass sums it, to the last bit: exp(score - log_sum_exp) has the error of
// their difference, which scores of hundreds would make large. Er belongs to diagonals: a query reads the
// band of it that its block meets one to the left of the query before. The scores' gradients stand in rows
// between zeros, so that read with a step of a row and one they are the band's rows; scale comes in with q,
// and to dq in the end.
#pragma once

#include "../relative_attention_backward_table.hpp"
#include "../relative_attention_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

constexpr std::int64_t attention_gradient_tile = 64;   // keys, a bit each in a mask
constexpr std::int64_t attention_gradient_block = 32;  // queries
constexpr std::int64_t attention_gradient_row = attention_gradient_tile + attention_gradient_block;
constexpr std::int64_t attention_gradient_band = attention_gradient_row;
// Groups of queries may begin before the band and end past the rows of ds.
constexpr std::int64_t attention_gradient_lead = 32;

struct AttentionGradientPanels {
  alignas(64) float k_t[max_head_width * attention_gradient_tile];                             // [K][tile]
  alignas(64) float v_t[max_head_width * attention_gradient_tile];                             // [K][tile]
  alignas(64) float k[attention_gradient_tile * max_head_width];                               // [tile][K]
  alignas(64) float dk[attention_gradient_tile * max_head_width];                              // [tile][K]
  alignas(64) float dv[attention_gradient_tile * max_head_width];                              // [tile][K]
  alignas(64) float er_t[attention_gradient_lead + max_head_width * attention_gradient_band];  // [K][band]
  alignas(64) float q[attention_gradient_block * max_head_width];           // [block][K], times scale
  alignas(64) float dout[attention_gradient_block * max_head_width];        // [block][K]
  alignas(64) float p[attention_gradient_block * attention_gradient_tile];  // [block][tile]
  // The scores' gradients by scale, [block][row], zeros before, between and after the rows.
  alignas(64) float ds[attention_gradient_lead + attention_gradient_block * attention_gradient_row +
                       attention_gradient_lead];
  std::uint64_t seen[attention_gradient_block];  // which keys of the tile the query sees
};

// A block of queries against a tile of keys.
struct AttentionGradientPair {
  std::int64_t i, count;      // queries i..i + count
  std::int64_t first, width;  // keys first..first + width
  std::int64_t start;         // the row of Er at the band's column 0: the last query's distance to `first`
  std::int64_t band;          // columns of the band that Er has
  bool relative;
};

// A mask of the keys below `count`.
inline std::uint64_t attention_gradient_keys_below(std::int64_t count) {
  return count >= 64 ? ~std::uint64_t{0} : count <= 0 ? 0 : (std::uint64_t{1} << count) - 1;
}

inline std::int64_t attention_gradient_first(std::uint64_t keys) { return __builtin_ctzll(keys); }
inline std::int64_t attention_gradient_end(std::uint64_t keys) { return 64 - __builtin_clzll(keys); }

// sums[r][w] += sum_n A[r row_step + n step] B[n][16 w..], n < count.
[[gnu::always_inline]] inline void attention_gradient_product(const float* A, std::int64_t row_step,
                                                              std::int64_t step, const float* B,
                                                              std::int64_t B_stride, std::int64_t count,
                                                              const __mmask16* lanes, __m512 (*sums)[4],
                                                              const int rows, const int vectors) {
  for (std::int64_t n = 0; n < count; ++n) {
    __m512 b[4];
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) b[w] = _mm512_maskz_loadu_ps(lanes[w], B + n * B_stride + 16 * w);
    IMU2MUSIC_UNROLL
    for (int r = 0; r < rows; ++r) {
      const __m512 factor = _mm512_set1_ps(A[r * row_step + n * step]);
      IMU2MUSIC_UNROLL
      for (int w = 0; w < vectors; ++w) sums[r][w] = _mm512_fmadd_ps(factor, b[w], sums[r][w]);
    }
  }
}

[[gnu::always_inline]] inline void attention_gradient_zero(__m512 (*sums)[4], const int rows,
                                                           const int vectors) {
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) sums[r][w] = _mm512_setzero_ps();
  }
}

// C[r][16 w..] += sums[r][w] for the first `there` of the rows.
[[gnu::always_inline]] inline void attention_gradient_add(const __m512 (*sums)[4], float* C,
                                                          std::int64_t C_stride, std::int64_t there,
                                                          const __mmask16* lanes, const int rows,
                                                          const int vectors) {
  IMU2MUSIC_UNROLL
  for (int r = 0; r < rows; ++r) {
    if (r >= there) break;
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      float* c = C + r * C_stride + 16 * w;
      _mm512_mask_storeu_ps(c, lanes[w], _mm512_add_ps(_mm512_maskz_loadu_ps(lanes[w], c), sums[r][w]));
    }
  }
}

[[gnu::always_inline]] inline void attention_gradient_lanes(std::int64_t left, __mmask16* lanes,
                                                            const int vectors) {
  IMU2MUSIC_UNROLL
  for (int w = 0; w < vectors; ++w) lanes[w] = lanes_left(left > 16 * w ? left - 16 * w : 0);
}

// p and ds of four queries from number r0 of the block on, of which none sees a key past `vectors` vectors.
[[gnu::always_inline]] inline void attention_gradient_weights(
    const RelativeAttentionBackwardArguments<float>& a, AttentionGradientPanels& panels,
    const AttentionGradientPair& pair, std::int64_t r0, const int vectors, const bool relative) {
  constexpr std::int64_t tile = attention_gradient_tile;
  const __mmask16 all[4] = {0xffff, 0xffff, 0xffff, 0xffff};
  const float* q = panels.q + r0 * a.K;
  const float* dout = panels.dout + r0 * a.K;
  __m512 s[4][4], dp[4][4];
  attention_gradient_zero(s, 4, vectors);
  const float* er = panels.er_t + attention_gradient_lead + (pair.count - 1 - r0);
  for (std::int64_t c = 0; c < a.K; ++c) {
    __m512 keys[4];
    IMU2MUSIC_UNROLL
    for (int v = 0; v < vectors; ++v) keys[v] = _mm512_load_ps(panels.k_t + c * tile + 16 * v);
    IMU2MUSIC_UNROLL
    for (int r = 0; r < 4; ++r) {
      const __m512 qc = _mm512_set1_ps(q[r * a.K + c]);
      IMU2MUSIC_UNROLL
      for (int v = 0; v < vectors; ++v) {
        __m512 key = keys[v];
        if (relative)
          key = _mm512_add_ps(key, _mm512_loadu_ps(er + c * attention_gradient_band - r + 16 * v));
        s[r][v] = _mm512_fmadd_ps(qc, key, s[r][v]);
      }
    }
  }
  IMU2MUSIC_UNROLL
  for (int r = 0; r < 4; ++r) {
    const std::uint64_t seen = panels.seen[r0 + r];
    const __m512 normaliser = _mm512_set1_ps(seen != 0 ? a.log_sum_exp[pair.i + r0 + r] : 0.0f);
    float* p = panels.p + (r0 + r) * tile;
    IMU2MUSIC_UNROLL
    for (int v = 0; v < 4; ++v)
      _mm512_store_ps(p + 16 * v, v < vectors
                                      ? _mm512_maskz_mov_ps(static_cast<__mmask16>(seen >> (16 * v)),
                                                            exponential(_mm512_sub_ps(s[r][v], normaliser)))
                                      : _mm512_setzero_ps());
  }
  attention_gradient_zero(dp, 4, vectors);
  attention_gradient_product(dout, a.K, 1, panels.v_t, tile, a.K, all, dp, 4, vectors);
  IMU2MUSIC_UNROLL
  for (int r = 0; r < 4; ++r) {
    const std::uint64_t seen = panels.seen[r0 + r];
    const __m512 delta = _mm512_set1_ps(seen != 0 ? a.delta[pair.i + r0 + r] : 0.0f);
    const float* p = panels.p + (r0 + r) * tile;
    float* ds = panels.ds + attention_gradient_lead + (r0 + r) * attention_gradient_row;
    IMU2MUSIC_UNROLL
    for (int v = 0; v < 4; ++v)
      _mm512_store_ps(ds + 16 * v, v < vectors ? _mm512_maskz_mul_ps(static_cast<__mmask16>(seen >> (16 * v)),
                                                                     _mm512_load_ps(p + 16 * v),
                                                                     _mm512_sub_ps(dp[r][v], delta))
                                               : _mm512_setzero_ps());
  }
}

// The same with the number of vectors by what the four see.
[[gnu::always_inline]] inline void attention_gradient_scores(
    const RelativeAttentionBackwardArguments<float>& a, AttentionGradientPanels& panels,
    const AttentionGradientPair& pair, std::int64_t r0, const bool relative) {
  const std::uint64_t seen =
      panels.seen[r0] | panels.seen[r0 + 1] | panels.seen[r0 + 2] | panels.seen[r0 + 3];
  const std::int64_t end = seen == 0 ? 0 : attention_gradient_end(seen);
  if (end > 48)
    attention_gradient_weights(a, panels, pair, r0, 4, relative);
  else if (end > 32)
    attention_gradient_weights(a, panels, pair, r0, 3, relative);
  else if (end > 16)
    attention_gradient_weights(a, panels, pair, r0, 2, relative);
  else
    attention_gradient_weights(a, panels, pair, r0, 1, relative);
}

// C[j] += sum_r A[j + r A_stride] B[r] for the tile's keys, columns c.. of K: dv of p and dout, dk of ds and
// q.
[[gnu::always_inline]] inline void attention_gradient_keys(const RelativeAttentionBackwardArguments<float>& a,
                                                           const AttentionGradientPair& pair,
                                                           std::uint64_t seen, const float* A,
                                                           const std::int64_t A_stride, const float* B,
                                                           float* C, std::int64_t c, const int rows,
                                                           const int vectors) {
  __mmask16 lanes[4];
  attention_gradient_lanes(a.K - c, lanes, vectors);
  for (std::int64_t j = 0; j < pair.width; j += rows) {
    if ((seen >> j & attention_gradient_keys_below(rows)) == 0) continue;
    // Queries before the first of these keys do not see them.
    const std::int64_t begin = a.causal && pair.first + j > pair.i ? pair.first + j - pair.i : 0;
    __m512 sums[8][4];
    attention_gradient_zero(sums, rows, vectors);
    attention_gradient_product(A + j + begin * A_stride, 1, A_stride, B + begin * a.K + c, a.K,
                               pair.count - begin, lanes, sums, rows, vectors);
    attention_gradient_add(sums, C + j * a.K + c, a.K, rows, lanes, rows, vectors);
  }
}

// dq of the block's queries, columns c.. of K.
[[gnu::always_inline]] inline void attention_gradient_queries(
    const RelativeAttentionBackwardArguments<float>& a, const AttentionGradientPanels& panels,
    const AttentionGradientPair& pair, std::int64_t c, const int rows, const int vectors) {
  __mmask16 lanes[4];
  attention_gradient_lanes(a.K - c, lanes, vectors);
  const float* ds = panels.ds + attention_gradient_lead;
  for (std::int64_t r0 = 0; r0 < pair.count; r0 += rows) {
    std::uint64_t seen = 0;
    for (int r = 0; r < rows; ++r) seen |= panels.seen[r0 + r];
    if (seen == 0) continue;
    const std::int64_t begin = attention_gradient_first(seen), end = attention_gradient_end(seen);
    __m512 sums[8][4];
    attention_gradient_zero(sums, rows, vectors);
    attention_gradient_product(ds + r0 * attention_gradient_row + begin, attention_gradient_row, 1,
                               panels.k + begin * a.K + c, a.K, end - begin, lanes, sums, rows, vectors);
    if (pair.relative) {
      std::int64_t m = pair.count - r0 - rows + begin, m_end = pair.count - 1 - r0 + end;
      if (m < 0) m = 0;
      if (m_end > pair.band) m_end = pair.band;
      attention_gradient_product(ds + r0 * (attention_gradient_row + 1) + m - (pair.count - 1),
                                 attention_gradient_row + 1, 1, a.er + (pair.start + m) * a.K + c, a.K,
                                 m_end - m, lanes, sums, rows, vectors);
    }
    attention_gradient_add(sums, a.dq + (pair.i + r0) * a.dq_stride + c, a.dq_stride, pair.count - r0, lanes,
                           rows, vectors);
  }
}

// dEr of the band's rows, columns c.. of K.
[[gnu::always_inline]] inline void attention_gradient_diagonals(
    const RelativeAttentionBackwardArguments<float>& a, const AttentionGradientPanels& panels,
    const AttentionGradientPair& pair, std::uint64_t seen, std::int64_t c, const int rows,
    const int vectors) {
  __mmask16 lanes[4];
  attention_gradient_lanes(a.K - c, lanes, vectors);
  const float* ds = panels.ds + attention_gradient_lead;
  const std::int64_t first = attention_gradient_first(seen), end = attention_gradient_end(seen);
  const std::int64_t m_end = pair.count - 1 + end < pair.band ? pair.count - 1 + end : pair.band;
  for (std::int64_t m = first; m < m_end; m += rows) {
    // Row m is met by query r at key m - (count - 1 - r).
    std::int64_t r = pair.count - m - rows + first, r_end = pair.count - 1 - m + end;
    if (r < 0) r = 0;
    if (r_end > pair.count) r_end = pair.count;
    __m512 sums[8][4];
    attention_gradient_zero(sums, rows, vectors);
    attention_gradient_product(ds + r * (attention_gradient_row + 1) + m - (pair.count - 1), 1,
                               attention_gradient_row + 1, panels.q + r * a.K + c, a.K, r_end - r, lanes,
                               sums, rows, vectors);
    attention_gradient_add(sums, a.dEr + (pair.start + m) * a.K + c, a.K, m_end - m, lanes, rows, vectors);
  }
}

// All products with the head's width for lanes, columns c.. of K.
[[gnu::always_inline]] inline void attention_gradient_columns(
    const RelativeAttentionBackwardArguments<float>& a, AttentionGradientPanels& panels,
    const AttentionGradientPair& pair, std::uint64_t seen, std::int64_t c, const int rows,
    const int vectors) {
  attention_gradient_keys(a, pair, seen, panels.p, attention_gradient_tile, panels.dout, panels.dv, c, rows,
                          vectors);
  attention_gradient_keys(a, pair, seen, panels.ds + attention_gradient_lead, attention_gradient_row,
                          panels.q, panels.dk, c, rows, vectors);
  attention_gradient_queries(a, panels, pair, c, rows, vectors);
  if (pair.relative && a.dEr != nullptr)
    attention_gradient_diagonals(a, panels, pair, seen, c, rows, vectors);
}

// `count` rows of K numbers, times `factor`, to a panel with zeros for the rows up to `rows`.
inline void attention_gradient_rows(const float* from, std::int64_t stride, std::int64_t count,
                                    std::int64_t rows, std::int64_t K, float factor, float* to) {
  const __m512 factors = _mm512_set1_ps(factor);
  for (std::int64_t c = 0; c < K; c += 16) {
    const __mmask16 lanes = lanes_left(K - c);
    for (std::int64_t r = 0; r < rows; ++r)
      _mm512_mask_storeu_ps(to + r * K + c, lanes,
                            r < count
                                ? _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, from + r * stride + c), factors)
                                : _mm512_setzero_ps());
  }
}

// to[c][j] = from[j][c], j < count <= 64, zeros up to the next multiple of 16.
inline void attention_gradient_turn(const float* from, std::int64_t stride, std::int64_t count,
                                    std::int64_t K, float* to) {
  for (std::int64_t j = 0; j < count; j += 16)
    for (std::int64_t c = 0; c < K; c += 16) {
      const __mmask16 lanes = lanes_left(K - c);
      __m512 x[16], y[16];
      IMU2MUSIC_UNROLL
      for (int n = 0; n < 16; ++n)
        x[n] =
            j + n < count ? _mm512_maskz_loadu_ps(lanes, from + (j + n) * stride + c) : _mm512_setzero_ps();
      IMU2MUSIC_UNROLL
      for (int n = 0; n < 16; n += 2) {
        y[n] = _mm512_unpacklo_ps(x[n], x[n + 1]);
        y[n + 1] = _mm512_unpackhi_ps(x[n], x[n + 1]);
      }
      IMU2MUSIC_UNROLL
      for (int n = 0; n < 16; n += 4) {
        IMU2MUSIC_UNROLL
        for (int u = 0; u < 2; ++u) {
          const __m512d low = _mm512_castps_pd(y[n + u]), high = _mm512_castps_pd(y[n + u + 2]);
          x[n + 2 * u] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
          x[n + 2 * u + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
      }
      // x[4 g + u], block b: numbers 4 g.. of column 4 b + u.
      IMU2MUSIC_UNROLL
      for (int u = 0; u < 4; ++u) {
        y[u] = _mm512_shuffle_f32x4(x[u], x[u + 4], 0x88);
        y[u + 4] = _mm512_shuffle_f32x4(x[u], x[u + 4], 0xdd);
        y[u + 8] = _mm512_shuffle_f32x4(x[u + 8], x[u + 12], 0x88);
        y[u + 12] = _mm512_shuffle_f32x4(x[u + 8], x[u + 12], 0xdd);
      }
      IMU2MUSIC_UNROLL
      for (int u = 0; u < 8; ++u) {
        x[u] = _mm512_shuffle_f32x4(y[u], y[u + 8], 0x88);
        x[u + 8] = _mm512_shuffle_f32x4(y[u], y[u + 8], 0xdd);
      }
      IMU2MUSIC_UNROLL
      for (int n = 0; n < 16; ++n) {
        if (c + n >= K) break;
        _mm512_store_ps(to + (c + n) * attention_gradient_tile + j, x[n]);
      }
    }
}

// Which keys of the tile queries i..i + count see, and which any of them does; `keys`: those not masked.
inline std::uint64_t attention_gradient_seen(const RelativeAttentionBackwardArguments<float>& a,
                                             AttentionGradientPanels& panels, std::int64_t i,
                                             std::int64_t count, std::int64_t first, std::uint64_t keys) {
  std::uint64_t any = 0;
  for (std::int64_t r = 0; r < attention_gradient_block; ++r) {
    std::uint64_t seen = r < count ? keys : 0;
    if (a.causal) seen &= attention_gradient_keys_below(i + r + 1 - first);
    if (a.key_first != nullptr && r < count)
      seen &= attention_gradient_keys_below(a.key_last[i + r] - first) &
              ~attention_gradient_keys_below(a.key_first[i + r] - first);
    panels.seen[r] = seen;
    any |= seen;
  }
  return any;
}

[[gnu::noinline]] inline void attention_gradient_pair(const RelativeAttentionBackwardArguments<float>& a,
                                                      AttentionGradientPanels& panels,
                                                      AttentionGradientPair& pair, std::uint64_t seen) {
  const std::int64_t K = a.K, rows = (pair.count + 7) / 8 * 8;
  attention_gradient_rows(a.q + pair.i * a.q_stride, a.q_stride, pair.count, rows, K, a.scale, panels.q);
  attention_gradient_rows(a.dout + pair.i * a.dout_stride, a.dout_stride, pair.count, rows, K, 1,
                          panels.dout);
  const std::int64_t last = pair.i + pair.count - 1;
  pair.relative = a.er != nullptr && last >= pair.first;
  if (pair.relative) {
    pair.start = a.L - 1 - last + pair.first;
    pair.band =
        a.L - pair.start < pair.width + pair.count - 1 ? a.L - pair.start : pair.width + pair.count - 1;
    for (std::int64_t c = 0; c < K; ++c)
      for (std::int64_t m = 0; m < attention_gradient_band; m += 16)
        _mm512_store_ps(panels.er_t + attention_gradient_lead + c * attention_gradient_band + m,
                        _mm512_maskz_loadu_ps(lanes_left(pair.band > m ? pair.band - m : 0),
                                              a.er_t + c * a.L + pair.start + m));
  }
  for (std::int64_t r = 0; r < rows; r += 4)
    if (pair.relative)
      attention_gradient_scores(a, panels, pair, r, true);
    else
      attention_gradient_scores(a, panels, pair, r, false);
  for (std::int64_t c = 0; c < K;)
    if (K - c > 32) {
      attention_gradient_columns(a, panels, pair, seen, c, 4, 4);
      c += 64;
    } else if (K - c > 16) {
      attention_gradient_columns(a, panels, pair, seen, c, 8, 2);
      c += 32;
    } else {
      attention_gradient_columns(a, panels, pair, seen, c, 8, 1);
      c += 16;
    }
}

inline void relative_attention_backward(const Context&, const RelativeAttentionBackwardArguments<float>& a) {
  constexpr std::int64_t tile = attention_gradient_tile, block = attention_gradient_block;
  for (std::int64_t i = 0; i < a.queries; ++i) {
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t c = 0; c < a.K; c += 16) {
      const __mmask16 lanes = lanes_left(a.K - c);
      sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, a.dout + i * a.dout_stride + c),
                            _mm512_maskz_loadu_ps(lanes, a.out + i * a.out_stride + c), sum);
      _mm512_mask_storeu_ps(a.dq + i * a.dq_stride + c, lanes, _mm512_setzero_ps());
    }
    a.delta[i] = horizontal_sum(sum);
  }
  AttentionGradientPanels panels;
  for (std::int64_t n = 0; n < attention_gradient_lead; n += 16)
    _mm512_store_ps(panels.er_t + n, _mm512_setzero_ps());
  for (std::int64_t n = 0; n < static_cast<std::int64_t>(sizeof(panels.ds) / sizeof(float)); n += 16)
    _mm512_store_ps(panels.ds + n, _mm512_setzero_ps());
  AttentionGradientPair pair = {};
  for (pair.first = 0; pair.first < a.S; pair.first += tile) {
    pair.width = a.S - pair.first < tile ? a.S - pair.first : tile;
    const float* k = a.k + pair.first * a.k_stride;
    attention_gradient_turn(k, a.k_stride, pair.width, a.K, panels.k_t);
    attention_gradient_turn(a.v + pair.first * a.v_stride, a.v_stride, pair.width, a.K, panels.v_t);
    attention_gradient_rows(k, a.k_stride, pair.width, pair.width, a.K, 1, panels.k);
    attention_gradient_rows(nullptr, 0, 0, tile, a.K, 1, panels.dk);
    attention_gradient_rows(nullptr, 0, 0, tile, a.K, 1, panels.dv);
    std::uint64_t keys = attention_gradient_keys_below(pair.width);
    if (a.key_masked != nullptr)
      for (std::int64_t j = 0; j < pair.width; ++j)
        if (a.key_masked[pair.first + j] != 0) keys &= ~(std::uint64_t{1} << j);
    for (pair.i = a.causal ? pair.first / block * block : 0; pair.i < a.queries; pair.i += block) {
      pair.count = a.queries - pair.i < block ? a.queries - pair.i : block;
      const std::uint64_t seen = attention_gradient_seen(a, panels, pair.i, pair.count, pair.first, keys);
      if (seen != 0) attention_gradient_pair(a, panels, pair, seen);
    }
    for (std::int64_t j = 0; j < pair.width; ++j)
      for (std::int64_t c = 0; c < a.K; c += 16) {
        const __mmask16 lanes = lanes_left(a.K - c);
        _mm512_mask_storeu_ps(a.dk + (pair.first + j) * a.dk_stride + c, lanes,
                              _mm512_maskz_loadu_ps(lanes, panels.dk + j * a.K + c));
        _mm512_mask_storeu_ps(a.dv + (pair.first + j) * a.dv_stride + c, lanes,
                              _mm512_maskz_loadu_ps(lanes, panels.dv + j * a.K + c));
      }
  }
  const __m512 scale = _mm512_set1_ps(a.scale);
  for (std::int64_t i = 0; i < a.queries; ++i)
    for (std::int64_t c = 0; c < a.K; c += 16) {
      const __mmask16 lanes = lanes_left(a.K - c);
      float* dq = a.dq + i * a.dq_stride + c;
      _mm512_mask_storeu_ps(dq, lanes, _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, dq), scale));
    }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, RelativeAttentionBackwardKernels<float>& table) {
  table.backward = &avx512::relative_attention_backward;
}

}  // namespace imu2music::inline v0::kernels
#endif
