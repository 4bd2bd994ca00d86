// Attention with relative positions, AVX2 and FMA.
//
// As the AVX-512 column, with tiles of 32 keys and groups of two queries: queries that come together are
// taken in blocks of 32 against dense panels of a tile's keys and of the band of Er that the block meets,
// filled up with zeros; a query by itself reads its operands in place. Either way an element is computed by
// the same operations in the same order; a key that is left out adds an exact 0, so values must be finite
// even where masked.
#pragma once

#include "../relative_attention_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

constexpr std::int64_t attention_tile = 32;   // keys, four vectors
constexpr std::int64_t attention_block = 32;  // queries
constexpr std::int64_t attention_band = attention_tile + attention_block;

// The running maximum and the running sum, lane by lane, of the exponentials.
struct AttentionState {
  __m256 sums;
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

// A mask of the lanes below `count` - 8 v of vector v.
inline __m256i attention_lanes(std::int64_t count, int v) {
  const std::int64_t left = count - 8 * v;
  return tail_mask(left < 0 ? 0 : left > 8 ? 8 : left);
}

// Turns the scores of query i in a tile, of which it sees nothing after the first `reach`, into p = exp(score
// - maximum) and returns exp(old maximum - maximum), the factor for the sums so far, in all lanes.
[[gnu::always_inline]] inline __m256 attention_weights(const RelativeAttentionArguments<float>& a,
                                                       const __m256* scores, std::int64_t i,
                                                       std::int64_t first, std::int64_t reach,
                                                       AttentionState& state, float* p, const int vectors) {
  const std::int64_t before = a.key_first != nullptr ? a.key_first[i] - first : 0;  // of the range
  const __m256 nothing = _mm256_set1_ps(-__builtin_inff());
  __m256 s[4];
  __m256 highest = nothing;
  IMU2MUSIC_UNROLL
  for (int v = 0; v < vectors; ++v) {
    __m256i seen = attention_lanes(reach, v);
    if (a.key_masked != nullptr) {
      const __m256i masked = load_bytes(a.key_masked + first + 8 * v, reach > 8 * v ? reach - 8 * v : 0);
      seen = _mm256_and_si256(seen, _mm256_cmpeq_epi32(masked, _mm256_setzero_si256()));
    }
    if (before > 8 * v) seen = _mm256_andnot_si256(attention_lanes(before, v), seen);
    s[v] = _mm256_blendv_ps(nothing, scores[v], _mm256_castsi256_ps(seen));
    highest = _mm256_max_ps(highest, s[v]);
  }
  const float tile_maximum = horizontal_max(highest);
  const float raised = tile_maximum > state.maximum ? tile_maximum : state.maximum;
  // While every key so far is left out, 0 stands for the maximum: -inf - -inf would be NaN.
  const __m256 reference = _mm256_set1_ps(raised == -__builtin_inff() ? 0.0f : raised);
  const __m256 correction = exponential(_mm256_sub_ps(_mm256_set1_ps(state.maximum), reference));
  __m256 sum = _mm256_setzero_ps();
  IMU2MUSIC_UNROLL
  for (int v = 0; v < vectors; ++v) {
    s[v] = exponential(_mm256_sub_ps(s[v], reference));
    _mm256_store_ps(p + 8 * v, s[v]);
    sum = _mm256_add_ps(sum, s[v]);
  }
  state.sums = _mm256_fmadd_ps(state.sums, correction, sum);
  state.maximum = raised;
  return correction;
}

// out = out correction + sum_j p_j v_j over the tile's first `reach` keys, for `queries` rows of out from i
// on and `vectors` vectors of their columns from c on, the last lanes left out where `partial`. Even and odd
// j are summed apart.
[[gnu::always_inline]] inline void attention_values(const RelativeAttentionArguments<float>& a,
                                                    const float* p, const __m256* corrections, std::int64_t i,
                                                    std::int64_t first, std::int64_t reach, std::int64_t c,
                                                    const int queries, const int vectors,
                                                    const bool partial) {
  const __m256i lanes = tail_mask(partial ? a.K - c : 8);
  __m256 even[2][4], odd[2][4];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < queries; ++r) {
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      const float* out = a.out + (i + r) * a.out_stride + c + 8 * w;
      even[r][w] =
          _mm256_mul_ps(partial ? _mm256_maskload_ps(out, lanes) : _mm256_loadu_ps(out), corrections[r]);
      odd[r][w] = _mm256_setzero_ps();
    }
  }
  const float* v = a.v + first * a.v_stride + c;
  std::int64_t j = 0;
  for (; j + 2 <= reach; j += 2, v += 2 * a.v_stride) {
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      const float* next = v + a.v_stride;
      const __m256 v0 = partial ? _mm256_maskload_ps(v + 8 * w, lanes) : _mm256_loadu_ps(v + 8 * w);
      const __m256 v1 = partial ? _mm256_maskload_ps(next + 8 * w, lanes) : _mm256_loadu_ps(next + 8 * w);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < queries; ++r) {
        even[r][w] = _mm256_fmadd_ps(_mm256_set1_ps(p[r * attention_tile + j]), v0, even[r][w]);
        odd[r][w] = _mm256_fmadd_ps(_mm256_set1_ps(p[r * attention_tile + j + 1]), v1, odd[r][w]);
      }
    }
  }
  if (j < reach) {
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      const __m256 v0 = partial ? _mm256_maskload_ps(v + 8 * w, lanes) : _mm256_loadu_ps(v + 8 * w);
      IMU2MUSIC_UNROLL
      for (int r = 0; r < queries; ++r)
        even[r][w] = _mm256_fmadd_ps(_mm256_set1_ps(p[r * attention_tile + j]), v0, even[r][w]);
    }
  }
  IMU2MUSIC_UNROLL
  for (int r = 0; r < queries; ++r) {
    IMU2MUSIC_UNROLL
    for (int w = 0; w < vectors; ++w) {
      float* out = a.out + (i + r) * a.out_stride + c + 8 * w;
      const __m256 sum = _mm256_add_ps(even[r][w], odd[r][w]);
      if (partial)
        _mm256_maskstore_ps(out, lanes, sum);
      else
        _mm256_storeu_ps(out, sum);
    }
  }
}

// q scale into `scaled`, zeros into out.
inline AttentionState attention_begin(const RelativeAttentionArguments<float>& a, std::int64_t i,
                                      float* scaled) {
  const __m256 scale = _mm256_set1_ps(a.scale);
  for (std::int64_t c = 0; c < a.K; c += 8) {
    const __m256i lanes = attention_lanes(a.K - c, 0);
    _mm256_maskstore_ps(scaled + c, lanes,
                        _mm256_mul_ps(_mm256_maskload_ps(a.q + i * a.q_stride + c, lanes), scale));
    _mm256_maskstore_ps(a.out + i * a.out_stride + c, lanes, _mm256_setzero_ps());
  }
  return {_mm256_setzero_ps(), -__builtin_inff()};
}

inline void attention_end(const RelativeAttentionArguments<float>& a, std::int64_t i,
                          const AttentionState& state) {
  const float total = horizontal_sum(state.sums);
  const __m256 inverse = _mm256_set1_ps(total == 0 ? 0.0f : 1.0f / total);
  float* out = a.out + i * a.out_stride;
  for (std::int64_t c = 0; c < a.K; c += 8) {
    const __m256i lanes = attention_lanes(a.K - c, 0);
    _mm256_maskstore_ps(out + c, lanes, _mm256_mul_ps(_mm256_maskload_ps(out + c, lanes), inverse));
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
  __m256 qc[4];
  IMU2MUSIC_UNROLL
  for (int u = 0; u < columns; ++u) qc[u] = _mm256_set1_ps(q[c + u]);
  const std::int64_t whole = relative ? related : count;
  std::int64_t j = 0;
  for (; j + 8 <= whole; j += 8) {
    __m256 s = c == 0 ? _mm256_setzero_ps() : _mm256_load_ps(scores + j);
    IMU2MUSIC_UNROLL
    for (int u = 0; u < columns; ++u) {
      __m256 key = _mm256_loadu_ps(k + u * a.k_stride + j);
      if (relative) key = _mm256_add_ps(key, _mm256_loadu_ps(er + u * a.er_stride + j));
      s = _mm256_fmadd_ps(qc[u], key, s);
    }
    _mm256_store_ps(scores + j, s);
  }
  for (; j < count; j += 8) {
    const __m256i lanes = attention_lanes(count - j, 0);
    const __m256i er_lanes = attention_lanes(related - j, 0);
    __m256 s = c == 0 ? _mm256_setzero_ps() : _mm256_load_ps(scores + j);
    IMU2MUSIC_UNROLL
    for (int u = 0; u < columns; ++u) {
      __m256 key = _mm256_maskload_ps(k + u * a.k_stride + j, lanes);
      if (relative) key = _mm256_add_ps(key, _mm256_maskload_ps(er + u * a.er_stride + j, er_lanes));
      s = _mm256_fmadd_ps(qc[u], key, s);
    }
    _mm256_store_ps(scores + j, s);
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
    for (std::int64_t j = (count + 7) / 8 * 8; j % attention_tile != 0; j += 8)
      _mm256_store_ps(scores + j, _mm256_setzero_ps());
    for (std::int64_t first = begin; first < begin + count; first += attention_tile) {
      const std::int64_t reach = keys - first < attention_tile ? keys - first : attention_tile;
      const float* at = scores + (first - begin);
      const __m256 s[4] = {_mm256_load_ps(at), _mm256_load_ps(at + 8), _mm256_load_ps(at + 16),
                           _mm256_load_ps(at + 24)};
      const __m256 correction = attention_weights(a, s, i, first, reach, state, p, 4);
      std::int64_t c = 0;
      for (; c + 32 <= a.K; c += 32) attention_values(a, p, &correction, i, first, reach, c, 1, 4, false);
      for (; c + 16 <= a.K; c += 16) attention_values(a, p, &correction, i, first, reach, c, 1, 2, false);
      for (; c + 8 <= a.K; c += 8) attention_values(a, p, &correction, i, first, reach, c, 1, 1, false);
      if (c < a.K) attention_values(a, p, &correction, i, first, reach, c, 1, 1, true);
    }
  }
  attention_end(a, i, state);
}

// What a block of queries keeps beside its operands.
struct AttentionPanels {
  alignas(32) float k[max_head_width * attention_tile];   // [K][tile]
  alignas(32) float er[max_head_width * attention_band];  // [K][band]
  alignas(32) float q[attention_block * max_head_width];  // [block][K], times scale
  alignas(32) float p[2 * attention_tile];
  AttentionState states[attention_block];
};

// Two queries, from number r0 of the block that begins at query i, and one tile. The second query's diagonal
// in the panel of Er starts one to the left of the first's.
[[gnu::always_inline]] inline void attention_group_weights(const RelativeAttentionArguments<float>& a,
                                                           AttentionPanels& panels, std::int64_t i,
                                                           std::int64_t count, std::int64_t r0,
                                                           std::int64_t first, std::int64_t width,
                                                           __m256* corrections, const int vectors,
                                                           const bool relative) {
  const float* q = panels.q + r0 * a.K;
  const float* er = panels.er + (count - 1 - r0);
  __m256 s[2][4];
  IMU2MUSIC_UNROLL
  for (int r = 0; r < 2; ++r) {
    IMU2MUSIC_UNROLL
    for (int v = 0; v < vectors; ++v) s[r][v] = _mm256_setzero_ps();
  }
  for (std::int64_t c = 0; c < a.K; ++c) {
    const __m256 q0 = _mm256_set1_ps(q[c]), q1 = _mm256_set1_ps(q[a.K + c]);
    IMU2MUSIC_UNROLL
    for (int v = 0; v < vectors; ++v) {
      const __m256 key = _mm256_load_ps(panels.k + c * attention_tile + 8 * v);
      const float* er_at = er + c * attention_band + 8 * v;
      s[0][v] = _mm256_fmadd_ps(q0, relative ? _mm256_add_ps(key, _mm256_loadu_ps(er_at)) : key, s[0][v]);
      s[1][v] = _mm256_fmadd_ps(q1, relative ? _mm256_add_ps(key, _mm256_loadu_ps(er_at - 1)) : key, s[1][v]);
    }
  }
  IMU2MUSIC_UNROLL
  for (int r = 0; r < 2; ++r)
    corrections[r] =
        attention_weights(a, s[r], i + r0 + r, first, attention_reach(a, i + r0 + r, first, width),
                          panels.states[r0 + r], panels.p + r * attention_tile, vectors);
}

[[gnu::always_inline]] inline void attention_group_tile(const RelativeAttentionArguments<float>& a,
                                                        AttentionPanels& panels, std::int64_t i,
                                                        std::int64_t count, std::int64_t r,
                                                        std::int64_t first, std::int64_t width,
                                                        std::int64_t reach, __m256* corrections,
                                                        const bool relative) {
  if (reach > 24)
    attention_group_weights(a, panels, i, count, r, first, width, corrections, 4, relative);
  else if (reach > 16)
    attention_group_weights(a, panels, i, count, r, first, width, corrections, 3, relative);
  else if (reach > 8)
    attention_group_weights(a, panels, i, count, r, first, width, corrections, 2, relative);
  else
    attention_group_weights(a, panels, i, count, r, first, width, corrections, 1, relative);
}

// Queries i..i + count, count a multiple of 2 and at most attention_block.
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
    const std::int64_t padded = (width + 7) / 8 * 8;
    for (std::int64_t c = 0; c < a.K; ++c)
      for (std::int64_t j = 0; j < padded; j += 8)
        _mm256_store_ps(
            panels.k + c * attention_tile + j,
            _mm256_maskload_ps(a.k_t + c * a.k_stride + first + j, attention_lanes(width - j, 0)));
    if (relative) {
      // Of row c of Er the part from the last query's distance to the first key on, zeros from L on.
      const std::int64_t start = a.L - 1 - last + first;
      const std::int64_t there = a.L - start < width + count - 1 ? a.L - start : width + count - 1;
      for (std::int64_t c = 0; c < a.K; ++c)
        for (std::int64_t j = 0; j < padded + count - 1; j += 8)
          _mm256_store_ps(
              panels.er + c * attention_band + j,
              _mm256_maskload_ps(a.er_t + c * a.er_stride + start + j, attention_lanes(there - j, 0)));
    }
    for (std::int64_t r = 0; r < count; r += 2) {
      const std::int64_t reach = attention_group_reach(a, i + r, 2, first, width);
      if (reach == 0) continue;
      __m256 corrections[2];
      if (relative)
        attention_group_tile(a, panels, i, count, r, first, width, reach, corrections, true);
      else
        attention_group_tile(a, panels, i, count, r, first, width, reach, corrections, false);
      std::int64_t c = 0;
      for (; c + 16 <= a.K; c += 16)
        attention_values(a, panels.p, corrections, i + r, first, reach, c, 2, 2, false);
      if (c + 8 <= a.K) {
        attention_values(a, panels.p, corrections, i + r, first, reach, c, 2, 1, false);
        c += 8;
      }
      if (c < a.K) attention_values(a, panels.p, corrections, i + r, first, reach, c, 2, 1, true);
    }
  }
  for (std::int64_t r = 0; r < count; ++r) attention_end(a, i + r, panels.states[r]);
}

inline void relative_attention_forward(const Context&, const RelativeAttentionArguments<float>& a,
                                       std::int64_t i_begin, std::int64_t i_end) {
  std::int64_t i = i_begin;
  while (i_end - i >= 4) {
    const std::int64_t count = i_end - i < attention_block ? (i_end - i) / 2 * 2 : attention_block;
    attention_rows(a, i, count);
    i += count;
  }
  for (; i < i_end; ++i) attention_row(a, i);
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, RelativeAttentionKernels<float>& table) {
  table.forward = &avx2::relative_attention_forward;
}

}  // namespace imu2music::inline v0::kernels
#endif
