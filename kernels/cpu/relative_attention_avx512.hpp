// Attention with relative positions, AVX-512.
//
// Tiles of 64 keys, lanes over neighbouring keys. Queries that come together are taken in blocks of 32: a
// tile's keys and the band of Er that the block meets are copied to dense panels, filled up with zeros where
// there is no key or no relative term, so that the inner loops need no masks and rows that are a power of two
// apart do not crowd one another out of the cache. Groups of four queries share the loads of keys and values.
// A query by itself reads its operands in place. Either way an element is computed by the same operations in
// the same order; a key that is left out adds an exact 0, so values must be finite even where masked.
#pragma once

#include "../relative_attention_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

constexpr std::int64_t attention_tile = 64;   // keys, four vectors
constexpr std::int64_t attention_block = 32;  // queries
constexpr std::int64_t attention_band = attention_tile + attention_block;

// The running maximum and the running sum, lane by lane, of the exponentials.
struct AttentionState {
  __m512 sums;
  float maximum;
};

// How many of the tile's `width` keys query i may see, from the first on, by its position and its range; the
// range may leave out some of the first ones yet.
inline std::int64_t attention_reach(const RelativeAttentionArguments<float>& a, std::int64_t i,
                                    std::int64_t first, std::int64_t width) {
  std::int64_t reach = a.causal ? a.query_offset + i + 1 - first : width;
  if (a.key_first != nullptr) {
    if (a.key_last[i] - first < reach) reach = a.key_last[i] - first;
    if (a.key_first[i] - first >= (reach < width ? reach : width)) return 0;
  }
  if (reach >= width) return width;
  return reach > 0 ? reach : 0;
}

// The most that any of queries i..i + count may see of the tile.
inline std::int64_t attention_group_reach(const RelativeAttentionArguments<float>& a, std::int64_t i,
                                          std::int64_t count, std::int64_t first, std::int64_t width) {
  std::int64_t most = attention_reach(a, i + count - 1, first, width);
  if (a.key_first == nullptr) return most;
  for (std::int64_t r = 0; r + 1 < count; ++r) {
    const std::int64_t reach = attention_reach(a, i + r, first, width);
    if (reach > most) most = reach;
  }
  return most;
}

// Turns the scores of query i in a tile, of which it sees nothing after the first `reach`, into p = exp(score
// - maximum) and returns exp(old maximum - maximum), the factor for the sums so far, in all lanes.
[[gnu::always_inline]] inline __m512 attention_weights(const RelativeAttentionArguments<float>& a,
                                                       const __m512* scores, std::int64_t i,
                                                       std::int64_t first, std::int64_t reach,
                                                       AttentionState& state, float* p, const int vectors) {
  const std::int64_t before = a.key_first != nullptr ? a.key_first[i] - first : 0;  // of the range
  const __m512 nothing = _mm512_set1_ps(-__builtin_inff());
  __m512 s[4];
  __m512 highest = nothing;
  IMU2MUSIC_UNROLL
  for (int v = 0; v < vectors; ++v) {
    __mmask16 seen = lanes_left(reach > 16 * v ? reach - 16 * v : 0);
    if (a.key_masked != nullptr) {
      const __m128i masked = _mm_maskz_loadu_epi8(seen, a.key_masked + first + 16 * v);
      seen = _mm_mask_testn_epi8_mask(seen, masked, masked);
    }
    if (before > 16 * v)
      seen = static_cast<__mmask16>(seen & ~static_cast<unsigned>(lanes_left(before - 16 * v)));
    s[v] = _mm512_mask_mov_ps(nothing, seen, scores[v]);
    highest = _mm512_max_ps(highest, s[v]);
  }
  const float tile_maximum = horizontal_max(highest);
  const float raised = tile_maximum > state.maximum ? tile_maximum : state.maximum;
  // While every key so far is left out, 0 stands for the maximum: -inf - -inf would be NaN.
  const __m512 reference = _mm512_set1_ps(raised == -__builtin_inff() ? 0.0f : raised);
  const __m512 correction = exponential(_mm512_sub_ps(_mm512_set1_ps(state.maximum), reference));
  __m512 sum = _mm512_setzero_ps();
  IMU2MUSIC_UNROLL
  for (int v = 0; v < vectors; ++v) {
    s[v] = exponential(_mm512_sub_ps(s[v], reference));
    _mm512_store_ps(p + 16 * v, s[v]);
    sum = _mm512_add_ps(sum, s[v]);
  }
  state.sums = _mm512_fmadd_ps(state.sums, correction, sum);
  state.maximum = raised;
  return correction;
}

// out = out correction + sum_j p_j v_j over the tile's first `reach` keys, for `queries` rows of out from i
// on and `vectors` vectors of their columns from c on. Even and odd j are summed apart.
[[gnu::always_inline]] inline void attention_values(const RelativeAttentionArguments<float>& a,
                                                    const float* p, const __m512* corrections, std::int64_t i,
                                                    std::int64_t first, std::int64_t reach, std::int64_t c,
                                                    const int queries, const int vectors) {
  __mmask16 lanes[4];
  __m512 even[4][4], odd[4][4];
  IMU2MUSIC_UNROLL
  for (int w = 0; w < vectors; ++w) lanes[w] = lanes_left(a.K - c > 16 * w ? a.K - c - 16 * w : 0);
  IMU2MUSIC_UNROLL
  for (int r = 0; r < queries; ++r) {
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      even[r][w] = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes[w], a.out + (i + r) * a.out_stride + c + 16 * w),
                                 corrections[r]);
      odd[r][w] = _mm512_setzero_ps();
    }
  }
  const float* v = a.v + first * a.v_stride + c;
  std::int64_t j = 0;
  for (; j + 2 <= reach; j += 2, v += 2 * a.v_stride) {
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      const __m512 v0 = _mm512_maskz_loadu_ps(lanes[w], v + 16 * w);
      const __m512 v1 = _mm512_maskz_loadu_ps(lanes[w], v + a.v_stride + 16 * w);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < queries; ++r) {
        even[r][w] = _mm512_fmadd_ps(_mm512_set1_ps(p[r * attention_tile + j]), v0, even[r][w]);
        odd[r][w] = _mm512_fmadd_ps(_mm512_set1_ps(p[r * attention_tile + j + 1]), v1, odd[r][w]);
      }
    }
  }
  if (j < reach) {
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      const __m512 v0 = _mm512_maskz_loadu_ps(lanes[w], v + 16 * w);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < queries; ++r)
        even[r][w] = _mm512_fmadd_ps(_mm512_set1_ps(p[r * attention_tile + j]), v0, even[r][w]);
    }
  }
  IMU2MUSIC_UNROLL
  for (int r = 0; r < queries; ++r) {
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w)
      _mm512_mask_storeu_ps(a.out + (i + r) * a.out_stride + c + 16 * w, lanes[w],
                            _mm512_add_ps(even[r][w], odd[r][w]));
  }
}

// q scale into `scaled`, zeros into out.
inline AttentionState attention_begin(const RelativeAttentionArguments<float>& a, std::int64_t i,
                                      float* scaled) {
  const __m512 scale = _mm512_set1_ps(a.scale);
  for (std::int64_t c = 0; c < a.K; c += 16) {
    const __mmask16 lanes = lanes_left(a.K - c);
    _mm512_mask_storeu_ps(scaled + c, lanes,
                          _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, a.q + i * a.q_stride + c), scale));
    _mm512_mask_storeu_ps(a.out + i * a.out_stride + c, lanes, _mm512_setzero_ps());
  }
  return {_mm512_setzero_ps(), -__builtin_inff()};
}

inline void attention_end(const RelativeAttentionArguments<float>& a, std::int64_t i,
                          const AttentionState& state) {
  const float total = horizontal_sum(state.sums);
  const __m512 inverse = _mm512_set1_ps(total == 0 ? 0.0f : 1.0f / total);
  float* out = a.out + i * a.out_stride;
  for (std::int64_t c = 0; c < a.K; c += 16) {
    const __mmask16 lanes = lanes_left(a.K - c);
    _mm512_mask_storeu_ps(out + c, lanes, _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, out + c), inverse));
  }
  if (a.log_sum_exp != nullptr) a.log_sum_exp[i] = state.maximum + __builtin_logf(total);
}

// Adds columns c..c + columns of q (k + Er) to the scores of `count` keys from `first` on, operands in place;
// the first `related` keys have a relative term.
[[gnu::always_inline]] inline void attention_row_columns(const RelativeAttentionArguments<float>& a,
                                                         const float* q, std::int64_t position,
                                                         std::int64_t first, std::int64_t count,
                                                         std::int64_t related, std::int64_t c, float* scores,
                                                         const int columns, const bool relative) {
  const float* k = a.k_t + c * a.k_stride + first;
  const float* er = relative ? a.er_t + c * a.er_stride + (a.L - 1 - position + first) : nullptr;
  __m512 qc[4];
  IMU2MUSIC_UNROLL
  for (int u = 0; u < columns; ++u) qc[u] = _mm512_set1_ps(q[c + u]);
  const std::int64_t whole = relative ? related : count;
  std::int64_t j = 0;
  for (; j + 16 <= whole; j += 16) {
    __m512 s = c == 0 ? _mm512_setzero_ps() : _mm512_load_ps(scores + j);
    IMU2MUSIC_UNROLL
    for (int u = 0; u < columns; ++u) {
      __m512 key = _mm512_loadu_ps(k + u * a.k_stride + j);
      if (relative) key = _mm512_add_ps(key, _mm512_loadu_ps(er + u * a.er_stride + j));
      s = _mm512_fmadd_ps(qc[u], key, s);
    }
    _mm512_store_ps(scores + j, s);
  }
  for (; j < count; j += 16) {
    const __mmask16 lanes = lanes_left(count - j);
    const __mmask16 er_lanes = lanes_left(related > j ? related - j : 0);
    __m512 s = c == 0 ? _mm512_setzero_ps() : _mm512_load_ps(scores + j);
    IMU2MUSIC_UNROLL
    for (int u = 0; u < columns; ++u) {
      __m512 key = _mm512_maskz_loadu_ps(lanes, k + u * a.k_stride + j);
      if (relative) key = _mm512_add_ps(key, _mm512_maskz_loadu_ps(er_lanes, er + u * a.er_stride + j));
      s = _mm512_fmadd_ps(qc[u], key, s);
    }
    _mm512_store_ps(scores + j, s);
  }
}

[[gnu::always_inline]] inline void attention_row_scores(const RelativeAttentionArguments<float>& a,
                                                        const float* q, std::int64_t position,
                                                        std::int64_t first, std::int64_t count,
                                                        std::int64_t related, float* scores,
                                                        const bool relative) {
  std::int64_t c = 0;
  for (; c + 4 <= a.K; c += 4)
    attention_row_columns(a, q, position, first, count, related, c, scores, 4, relative);
  for (; c < a.K; ++c) attention_row_columns(a, q, position, first, count, related, c, scores, 1, relative);
}

// One query. Its scores are computed for many tiles at once, four rows of the transposed operands at a time,
// so that these are read in long stretches: a decoding step reads each number once and waits for memory.
[[gnu::noinline]] inline void attention_row(const RelativeAttentionArguments<float>& a, std::int64_t i) {
  constexpr std::int64_t stretch = 512;
  alignas(64) float q[max_head_width], p[attention_tile], scores[stretch];
  AttentionState state = attention_begin(a, i, q);
  const std::int64_t position = a.query_offset + i;
  const std::int64_t keys = attention_reach(a, i, 0, a.S);
  const std::int64_t unseen = a.key_first != nullptr && a.key_first[i] > 0 ? a.key_first[i] : 0;
  for (std::int64_t begin = unseen / attention_tile * attention_tile; begin < keys; begin += stretch) {
    const std::int64_t count = keys - begin < stretch ? keys - begin : stretch;
    const std::int64_t past = position + 1 - begin;
    if (a.er_t != nullptr && past > 0)
      attention_row_scores(a, q, position, begin, count, past < count ? past : count, scores, true);
    else
      attention_row_scores(a, q, position, begin, count, 0, scores, false);
    // The rest of the last tile: left out, but not undefined.
    for (std::int64_t j = (count + 15) / 16 * 16; j % attention_tile != 0; j += 16)
      _mm512_store_ps(scores + j, _mm512_setzero_ps());
    for (std::int64_t first = begin; first < begin + count; first += attention_tile) {
      const std::int64_t reach = keys - first < attention_tile ? keys - first : attention_tile;
      const float* at = scores + (first - begin);
      const __m512 s[4] = {_mm512_load_ps(at), _mm512_load_ps(at + 16), _mm512_load_ps(at + 32),
                           _mm512_load_ps(at + 48)};
      const __m512 correction = attention_weights(a, s, i, first, reach, state, p, 4);
      for (std::int64_t c = 0; c < a.K;) {
        if (a.K - c > 32) {
          attention_values(a, p, &correction, i, first, reach, c, 1, 4);
          c += 64;
        } else if (a.K - c > 16) {
          attention_values(a, p, &correction, i, first, reach, c, 1, 2);
          c += 32;
        } else {
          attention_values(a, p, &correction, i, first, reach, c, 1, 1);
          c += 16;
        }
      }
    }
  }
  attention_end(a, i, state);
}

// What a block of queries keeps beside its operands.
struct AttentionPanels {
  alignas(64) float k[max_head_width * attention_tile];   // [K][tile]
  alignas(64) float er[max_head_width * attention_band];  // [K][band]
  alignas(64) float q[attention_block * max_head_width];  // [block][K], times scale
  alignas(64) float p[4 * attention_tile];
  AttentionState states[attention_block];
};

// Four queries, from number r0 of the block that begins at query i, and one tile. Each query's diagonal in
// the panel of Er starts one to the left of the one before.
[[gnu::always_inline]] inline void attention_group_weights(const RelativeAttentionArguments<float>& a,
                                                           AttentionPanels& panels, std::int64_t i,
                                                           std::int64_t count, std::int64_t r0,
                                                           std::int64_t first, std::int64_t width,
                                                           __m512* corrections, const int vectors,
                                                           const bool relative) {
  const float* q = panels.q + r0 * a.K;
  const float* er = panels.er + (count - 1 - r0);
  __m512 s[4][4];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < 4; ++r) {
    IMU2MUSIC_UNROLL
    for (int v = 0; v < vectors; ++v) s[r][v] = _mm512_setzero_ps();
  }
  for (std::int64_t c = 0; c < a.K; ++c) {
    __m512 keys[4];
    IMU2MUSIC_UNROLL
    for (int v = 0; v < vectors; ++v) keys[v] = _mm512_load_ps(panels.k + c * attention_tile + 16 * v);
    IMU2MUSIC_UNROLL
    for (int r = 0; r < 4; ++r) {
      const __m512 qc = _mm512_set1_ps(q[r * a.K + c]);
      IMU2MUSIC_UNROLL
      for (int v = 0; v < vectors; ++v) {
        __m512 key = keys[v];
        if (relative) key = _mm512_add_ps(key, _mm512_loadu_ps(er + c * attention_band - r + 16 * v));
        s[r][v] = _mm512_fmadd_ps(qc, key, s[r][v]);
      }
    }
  }
  IMU2MUSIC_UNROLL
  for (int r = 0; r < 4; ++r)
    corrections[r] =
        attention_weights(a, s[r], i + r0 + r, first, attention_reach(a, i + r0 + r, first, width),
                          panels.states[r0 + r], panels.p + r * attention_tile, vectors);
}

[[gnu::always_inline]] inline void attention_group_tile(const RelativeAttentionArguments<float>& a,
                                                        AttentionPanels& panels, std::int64_t i,
                                                        std::int64_t count, std::int64_t r,
                                                        std::int64_t first, std::int64_t width,
                                                        std::int64_t reach, __m512* corrections,
                                                        const bool relative) {
  if (reach > 48)
    attention_group_weights(a, panels, i, count, r, first, width, corrections, 4, relative);
  else if (reach > 32)
    attention_group_weights(a, panels, i, count, r, first, width, corrections, 3, relative);
  else if (reach > 16)
    attention_group_weights(a, panels, i, count, r, first, width, corrections, 2, relative);
  else
    attention_group_weights(a, panels, i, count, r, first, width, corrections, 1, relative);
}

// Queries i..i + count, count a multiple of 4 and at most attention_block.
[[gnu::noinline]] inline void attention_rows(const RelativeAttentionArguments<float>& a, std::int64_t i,
                                             std::int64_t count) {
  AttentionPanels panels;
  for (std::int64_t r = 0; r < count; ++r) panels.states[r] = attention_begin(a, i + r, panels.q + r * a.K);
  const std::int64_t position = a.query_offset + i, last = position + count - 1;
  const std::int64_t keys = attention_group_reach(a, i, count, 0, a.S);
  for (std::int64_t first = 0; first < keys; first += attention_tile) {
    const std::int64_t width = keys - first < attention_tile ? keys - first : attention_tile;
    if (a.key_first != nullptr && attention_group_reach(a, i, count, first, width) == 0) continue;
    const bool relative = a.er_t != nullptr && last >= first;
    const std::int64_t padded = (width + 15) / 16 * 16;
    for (std::int64_t c = 0; c < a.K; ++c)
      for (std::int64_t j = 0; j < padded; j += 16)
        _mm512_store_ps(panels.k + c * attention_tile + j,
                        _mm512_maskz_loadu_ps(lanes_left(width - j), a.k_t + c * a.k_stride + first + j));
    if (relative) {
      // Of row c of Er the part from the last query's distance to the first key on, zeros from L on.
      const std::int64_t start = a.L - 1 - last + first;
      const std::int64_t there = a.L - start < width + count - 1 ? a.L - start : width + count - 1;
      for (std::int64_t c = 0; c < a.K; ++c)
        for (std::int64_t j = 0; j < padded + count - 1; j += 16)
          _mm512_store_ps(panels.er + c * attention_band + j,
                          _mm512_maskz_loadu_ps(lanes_left(there > j ? there - j : 0),
                                                a.er_t + c * a.er_stride + start + j));
    }
    for (std::int64_t r = 0; r < count; r += 4) {
      const std::int64_t reach = attention_group_reach(a, i + r, 4, first, width);
      if (reach == 0) continue;
      __m512 corrections[4];
      if (relative)
        attention_group_tile(a, panels, i, count, r, first, width, reach, corrections, true);
      else
        attention_group_tile(a, panels, i, count, r, first, width, reach, corrections, false);
      std::int64_t c = 0;
      for (; a.K - c > 16; c += 32) attention_values(a, panels.p, corrections, i + r, first, reach, c, 4, 2);
      if (c < a.K) attention_values(a, panels.p, corrections, i + r, first, reach, c, 4, 1);
    }
  }
  for (std::int64_t r = 0; r < count; ++r) attention_end(a, i + r, panels.states[r]);
}

inline void relative_attention_forward(const Context&, const RelativeAttentionArguments<float>& a,
                                       std::int64_t i_begin, std::int64_t i_end) {
  std::int64_t i = i_begin;
  while (i_end - i >= 4) {
    const std::int64_t count = i_end - i < attention_block ? (i_end - i) / 4 * 4 : attention_block;
    attention_rows(a, i, count);
    i += count;
  }
  for (; i < i_end; ++i) attention_row(a, i);
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, RelativeAttentionKernels<float>& table) {
  table.forward = &avx512::relative_attention_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
