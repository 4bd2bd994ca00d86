// Attention with relative positions, portable: the truth for the other columns.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "../relative_attention_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// One query against the keys, a tile of them at a time. With the running maximum m, the running sum s of
// exp(score
// - m) and the running sum o of exp(score - m) v, a tile that raises the maximum to m' first multiplies s and
// o by exp(m - m'); out = o / s and log_sum_exp = m + log s in the end.
template <class T>
void relative_attention_query(const RelativeAttentionArguments<T>& a, std::int64_t i) {
  constexpr std::int64_t tile = 32;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const std::int64_t position = a.query_offset + i;
  std::int64_t keys = a.causal ? std::min(a.S, position + 1) : a.S, begin = 0;
  if (a.key_first != nullptr) {
    keys = std::min<std::int64_t>(keys, a.key_last[i]);
    begin = std::max<std::int64_t>(begin, a.key_first[i]);
  }
  const T* q = a.q + i * a.q_stride;
  T* out = a.out + i * a.out_stride;
  T sums[max_head_width] = {};
  T maximum = -infinity, normaliser = 0;
  for (std::int64_t first = begin / tile * tile; first < keys; first += tile) {
    const std::int64_t width = std::min(tile, keys - first);
    // The keys of this tile that are not in the query's future, which have a relative term.
    const std::int64_t related =
        a.er_t != nullptr ? std::clamp<std::int64_t>(position + 1 - first, 0, width) : 0;
    T p[tile] = {};  // scores, then exp(score - maximum)
    for (std::int64_t c = 0; c < a.K; ++c) {
      const T qc = q[c] * a.scale;
      const T* k = a.k_t + c * a.k_stride + first;
      if (related > 0) {
        const T* er = a.er_t + c * a.er_stride + (a.L - 1 - position + first);
        for (std::int64_t j = 0; j < related; ++j) p[j] += qc * (k[j] + er[j]);
      }
      for (std::int64_t j = related; j < width; ++j) p[j] += qc * k[j];
    }
    if (a.key_masked != nullptr)
      for (std::int64_t j = 0; j < width; ++j)
        if (a.key_masked[first + j] != 0) p[j] = -infinity;
    for (std::int64_t j = 0; j < std::min(width, begin - first); ++j) p[j] = -infinity;
    T raised = maximum;
    for (std::int64_t j = 0; j < width; ++j) raised = std::max(raised, p[j]);
    // While every key so far is left out, 0 stands for the maximum: exp(-inf - 0) = 0, where -inf - -inf
    // would be NaN.
    const T reference = raised == -infinity ? T(0) : raised;
    const T correction = std::exp(maximum - reference);
    maximum = raised;
    normaliser *= correction;
    for (std::int64_t c = 0; c < a.K; ++c) sums[c] *= correction;
    for (std::int64_t j = 0; j < width; ++j) {
      p[j] = std::exp(p[j] - reference);
      normaliser += p[j];
      const T* v = a.v + (first + j) * a.v_stride;
      for (std::int64_t c = 0; c < a.K; ++c) sums[c] += p[j] * v[c];
    }
  }
  const T inverse = normaliser == 0 ? T(0) : T(1) / normaliser;
  for (std::int64_t c = 0; c < a.K; ++c) out[c] = sums[c] * inverse;
  if (a.log_sum_exp != nullptr) a.log_sum_exp[i] = maximum + std::log(normaliser);
}

template <class T>
void relative_attention_forward(const Context&, const RelativeAttentionArguments<T>& a, std::int64_t i_begin,
                                std::int64_t i_end) {
  for (std::int64_t i = i_begin; i < i_end; ++i) relative_attention_query(a, i);
}

}  // namespace scalar

template <class T>
void install(ScalarTag, RelativeAttentionKernels<T>& table) {
  table.forward = &scalar::relative_attention_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
