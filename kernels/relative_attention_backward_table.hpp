// The gradient of attention with relative positions (relative_attention_table.hpp), one head, with the
// probabilities computed anew from the softmax's normaliser, so that no [T, S] matrix is formed:
//
//   p_ij    = exp(score(i, j) - log_sum_exp_i)
//   delta_i = dout_i . out_i
//   ds_ij   = scale p_ij (dout_i . v_j - delta_i)
//   dq_i    = sum_j ds_ij (k_j + Er[L - 1 - (i - j)])
//   dk_j    = sum_i ds_ij q_i,   dv_j = sum_i p_ij dout_i
//   dEr[L - 1 - (i - j)] += ds_ij q_i   for every pair j <= i
//
// The relative term is absent where j > i or Er is null; the position of query i is i. What a query may see
// is as in the forward pass; a query that sees nothing has no gradient and gives none. v_j must be finite
// where left out, too.
//
// Layout, rows with strides of their own:
//   q, dout, out, dq: [T, K]   k, v, dk, dv: [S, K]   er, dEr: [L, K], dense   er_t: [K, L], Er transposed
//   log_sum_exp: [T], the forward pass's   delta: [T], scratch
//
// dq, dk and dv are overwritten, dEr is added to. A call computes a whole head, so the order of a sum depends
// on the sizes alone; heads are split among threads, each with a dEr of its own. Memory beyond the operands:
// O(K), on the stack, at most 544 KiB. Cost: 8 K multiply-adds a pair (i, j), 5 K without Er.
//
// Source: Dao et al. 2022, FlashAttention (arXiv:2205.14135, section 3.1 and appendix B).
#pragma once

#include <cstdint>

#include "kernel_context.hpp"
#include "relative_attention_table.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct RelativeAttentionBackwardArguments {
  const T* q = nullptr;
  std::int64_t q_stride = 0;
  const T* k = nullptr;
  std::int64_t k_stride = 0;
  const T* v = nullptr;
  std::int64_t v_stride = 0;
  const T* er = nullptr;  // or null, and er_t: no relative term
  const T* er_t = nullptr;
  const T* dout = nullptr;
  std::int64_t dout_stride = 0;
  const T* out = nullptr;
  std::int64_t out_stride = 0;
  const T* log_sum_exp = nullptr;
  T* delta = nullptr;
  T* dq = nullptr;
  std::int64_t dq_stride = 0;
  T* dk = nullptr;
  std::int64_t dk_stride = 0;
  T* dv = nullptr;
  std::int64_t dv_stride = 0;
  T* dEr = nullptr;                          // or null: not wanted
  const std::uint8_t* key_masked = nullptr;  // [S] or null, as in the forward pass
  const std::int32_t* key_first = nullptr;   // [T] or null, as in the forward pass
  const std::int32_t* key_last = nullptr;
  std::int64_t queries = 0;  // T
  std::int64_t S = 0;        // keys
  std::int64_t L = 0;        // positions in Er
  std::int64_t K = 0;        // head width, at most max_head_width
  bool causal = false;
  T scale = 1;
};

// Every head of B sequences at once, on devices. `forward` is the forward pass's batch with its out and
// log_sum_exp; its query_offset is 0. Gradients are laid out as what they belong to.
template <class T>
struct RelativeAttentionBackwardBatch {
  RelativeAttentionBatch<T> forward;
  const T* dout = nullptr;
  std::int64_t dout_stride = 0;
  T* delta = nullptr;  // [B, H, T], scratch
  T* dq = nullptr;
  std::int64_t dq_stride = 0;
  T* dk = nullptr;
  std::int64_t dk_stride = 0;
  T* dv = nullptr;
  std::int64_t dv_stride = 0;
  T* dEr = nullptr;  // [L, K], added to, or null
};

template <class T>
struct RelativeAttentionBackwardKernels {
  void (*backward)(const Context& context, const RelativeAttentionBackwardArguments<T>& arguments) = nullptr;
  // Null on the CPU, which takes heads one by one.
  void (*backward_batch)(const Context& context, const RelativeAttentionBackwardBatch<T>& batch) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
