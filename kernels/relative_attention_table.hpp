// Attention with relative positions, one head, fused: no [T, S] matrix is ever formed.
//
//   score(i, j) = scale (q_i . k_j + q_i . Er[L - 1 - (p_i - j)])
//   out_i       = sum_j softmax_j(score(i, j)) v_j
//
// The relative term is 0 where j > p_i or Er is null. p_i = query_offset + i is the position of query i among
// the keys; keys with j > p_i are left out where `causal` is set, keys with key_masked[j] != 0 always, and,
// where key_first and key_last are given, keys outside key_first[i]..key_last[i] - 1. A query that may see no
// key gives zeros, and log_sum_exp = -infinity. A key that is left out adds 0 v_j, so v_j must be finite
// there too. With fewer keys than L the last rows of Er are used: the distance p_i - j alone counts. Every
// distance p_i - j >= 0 met must be below L.
//
// Relative term: Shaw et al. 2018 (arXiv:1803.02155); the skewed form that this equals: Huang et al. 2018,
// Music Transformer (arXiv:1809.04281, section 3.4.1). Softmax in one pass with a running maximum: Milakov
// and Gimelshein 2018 (arXiv:1805.02867).
//
// Layout. Keys and Er are transposed so that a vector holds neighbouring keys j, and k_j + Er[L - 1 - p_i +
// j] is walked along the diagonal with unaligned loads:
//   q:    [T, K], row stride q_stride            k_t:  [K, S], row stride k_stride
//   v:    [S, K], row stride v_stride            er_t: [K, L], row stride er_stride, or null
//   out:  [T, K], row stride out_stride          log_sum_exp: [T] or null, the softmax's normaliser for
//                                                a backward pass
//
// Keys are taken in tiles of a fixed width from j = 0 on, and a tile of which a query sees nothing changes
// none of its bits, so query i has the same bits whether it is computed alone against a cache or among all
// the others. Memory: O(K) beyond the operands, on the stack, at most 256 KiB. Cost: 3 K multiply-adds a pair
// (i, j).
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct RelativeAttentionArguments {
  const T* q = nullptr;
  std::int64_t q_stride = 0;
  const T* k_t = nullptr;
  std::int64_t k_stride = 0;
  const T* v = nullptr;
  std::int64_t v_stride = 0;
  const T* er_t = nullptr;
  std::int64_t er_stride = 0;
  T* out = nullptr;
  std::int64_t out_stride = 0;
  T* log_sum_exp = nullptr;
  const std::uint8_t* key_masked = nullptr;  // [S] or null; nonzero: no query may see this key
  const std::int32_t* key_first = nullptr;   // [T] or null, together with key_last
  const std::int32_t* key_last = nullptr;    // query i may see keys key_first[i]..key_last[i] - 1 only
  std::int64_t S = 0;                        // keys
  std::int64_t L = 0;                        // positions in Er
  std::int64_t K = 0;                        // head width, at most max_head_width
  std::int64_t query_offset = 0;
  bool causal = false;
  T scale = 1;
};

constexpr std::int64_t max_head_width = 256;

// Every head of B sequences at once, on devices. Rows of q, k, v and out are those of a sequence after those
// of the one before it, head h in columns h K..; k and Er are not transposed:
//   q, out: [B T, H K]   k, v: [B S, H K]   er: [L, K] or null   log_sum_exp: [B, H, T] or null
//   key_masked: [B, S] or null   key_first, key_last: [B, T] or null
template <class T>
struct RelativeAttentionBatch {
  const T* q = nullptr;
  std::int64_t q_stride = 0;
  const T* k = nullptr;
  std::int64_t k_stride = 0;
  const T* v = nullptr;
  std::int64_t v_stride = 0;
  const T* er = nullptr;
  T* out = nullptr;
  std::int64_t out_stride = 0;
  T* log_sum_exp = nullptr;
  const std::uint8_t* key_masked = nullptr;
  const std::int32_t* key_first = nullptr;
  const std::int32_t* key_last = nullptr;
  std::int64_t B = 0, H = 0, queries = 0, S = 0, L = 0, K = 0;
  std::int64_t query_offset = 0;
  bool causal = false;
  T scale = 1;
};

template <class T>
struct RelativeAttentionKernels {
  // Queries i_begin..i_end.
  void (*forward)(const Context& context, const RelativeAttentionArguments<T>& arguments,
                  std::int64_t i_begin, std::int64_t i_end) = nullptr;
  // Null on the CPU, which takes heads one by one.
  void (*forward_batch)(const Context& context, const RelativeAttentionBatch<T>& batch) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
