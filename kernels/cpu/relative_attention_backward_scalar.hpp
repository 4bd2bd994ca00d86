// The gradient of attention with relative positions, portable: the truth for the other columns.
//
// Keys are taken in tiles, copied once to panels in which neighbouring keys lie side by side; every query
// that sees something of the tile passes by and adds to the gradients.
#pragma once

#include <algorithm>
#include <cmath>

#include "../relative_attention_backward_table.hpp"
#include "../relative_attention_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

constexpr std::int64_t attention_gradient_tile = 32;

template <class T>
struct AttentionGradientPanels {
  T k_t[max_head_width * attention_gradient_tile];  // [K][tile]
  T v_t[max_head_width * attention_gradient_tile];
};

// Query i and the tile's keys begin..end, of which the first `related` of the tile have a relative term.
template <class T>
void relative_attention_gradient_pairs(const RelativeAttentionBackwardArguments<T>& a,
                                       const AttentionGradientPanels<T>& panels, std::int64_t i,
                                       std::int64_t first, std::int64_t begin, std::int64_t end,
                                       std::int64_t related) {
  constexpr std::int64_t tile = attention_gradient_tile;
  const T* q = a.q + i * a.q_stride;
  const T* dout = a.dout + i * a.dout_stride;
  T* dq = a.dq + i * a.dq_stride;
  const std::int64_t diagonal = a.L - 1 - i + first;  // the row of Er for the tile's first key
  T p[tile] = {}, ds[tile] = {};  // scores, then probabilities; dout . v, then the scores' gradients
  for (std::int64_t c = 0; c < a.K; ++c) {
    const T qc = q[c] * a.scale;
    const T* k = panels.k_t + c * tile;
    const T* v = panels.v_t + c * tile;
    // As the forward pass sums a score, to the last bit: exp(score - log_sum_exp) has the error of their
    // difference, which scores of hundreds would make large.
    if (begin < related) {
      const T* er = a.er_t + c * a.L + diagonal;
      for (std::int64_t j = begin; j < related; ++j) p[j] += qc * (k[j] + er[j]);
    }
    for (std::int64_t j = std::max(begin, related); j < end; ++j) p[j] += qc * k[j];
    for (std::int64_t j = begin; j < end; ++j) ds[j] += dout[c] * v[j];
  }
  for (std::int64_t j = begin; j < end; ++j) {
    if (a.key_masked != nullptr && a.key_masked[first + j] != 0) continue;
    const T weight = std::exp(p[j] - a.log_sum_exp[i]);
    const T gradient = a.scale * weight * (ds[j] - a.delta[i]);
    const T* k = a.k + (first + j) * a.k_stride;
    T* dk = a.dk + (first + j) * a.dk_stride;
    T* dv = a.dv + (first + j) * a.dv_stride;
    for (std::int64_t c = 0; c < a.K; ++c) {
      dq[c] += gradient * k[c];
      dk[c] += gradient * q[c];
      dv[c] += weight * dout[c];
    }
    if (j >= related) continue;
    const T* er = a.er + (diagonal + j) * a.K;
    for (std::int64_t c = 0; c < a.K; ++c) dq[c] += gradient * er[c];
    if (a.dEr == nullptr) continue;
    T* dEr = a.dEr + (diagonal + j) * a.K;
    for (std::int64_t c = 0; c < a.K; ++c) dEr[c] += gradient * q[c];
  }
}

template <class T>
void relative_attention_backward(const Context&, const RelativeAttentionBackwardArguments<T>& a) {
  constexpr std::int64_t tile = attention_gradient_tile;
  for (std::int64_t i = 0; i < a.queries; ++i) {
    const T* dout = a.dout + i * a.dout_stride;
    const T* out = a.out + i * a.out_stride;
    T delta = 0;
    for (std::int64_t c = 0; c < a.K; ++c) delta += dout[c] * out[c];
    a.delta[i] = delta;
    std::fill_n(a.dq + i * a.dq_stride, a.K, T(0));
  }
  AttentionGradientPanels<T> panels;
  for (std::int64_t first = 0; first < a.S; first += tile) {
    const std::int64_t width = std::min(tile, a.S - first);
    for (std::int64_t j = 0; j < width; ++j) {
      const T* k = a.k + (first + j) * a.k_stride;
      const T* v = a.v + (first + j) * a.v_stride;
      for (std::int64_t c = 0; c < a.K; ++c) {
        panels.k_t[c * tile + j] = k[c];
        panels.v_t[c * tile + j] = v[c];
      }
      std::fill_n(a.dk + (first + j) * a.dk_stride, a.K, T(0));
      std::fill_n(a.dv + (first + j) * a.dv_stride, a.K, T(0));
    }
    for (std::int64_t i = a.causal ? first : 0; i < a.queries; ++i) {
      const std::int64_t past = std::clamp<std::int64_t>(i + 1 - first, 0, width);
      std::int64_t begin = 0, end = a.causal ? past : width;
      if (a.key_first != nullptr) {
        begin = std::max<std::int64_t>(begin, a.key_first[i] - first);
        end = std::min<std::int64_t>(end, a.key_last[i] - first);
      }
      const std::int64_t related = a.er != nullptr ? std::min(past, end) : 0;
      if (begin < end) relative_attention_gradient_pairs(a, panels, i, first, begin, end, related);
    }
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, RelativeAttentionBackwardKernels<T>& table) {
  table.backward = &scalar::relative_attention_backward<T>;
}

}  // namespace imu2music::inline v0::kernels
