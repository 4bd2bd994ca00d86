// The gradients of relative_self_attention and cross_attention (ops/relative_attention.hpp; formula and
// sources: kernels/relative_attention_backward_table.hpp). Both want the forward pass's result, `out`, and
// its log_sum_exp, [B, H, T]. Throw ShapeError.
#pragma once

#include <algorithm>
#include <cmath>
#include <cpu/relative_attention_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"
#include "imu2music/ops/relative_attention.hpp"

namespace imu2music::inline v0 {

namespace detail {

inline void require_attention_gradient(const char* operation, const Shape& dout, const Shape& out,
                                       const Shape& log_sum_exp, std::int64_t B, std::int64_t H,
                                       std::int64_t queries, std::int64_t D) {
  const Shape result{B, queries, D}, normaliser{B, H, queries};
  require(dout == result && out == result && log_sum_exp == normaliser, operation, [&] {
    return "gradient " + dout.to_string() + ", result " + out.to_string() + " and normaliser " +
           log_sum_exp.to_string() + " must be " + result.to_string() + " twice and " +
           normaliser.to_string();
  });
}

// `shared` holds what is alike in every head and batch; its pointers to rows are those of batch 0 and head 0.
// dEr: [L, K] of `shared`, or null.
template <class T>
void attention_backward(Context& context, const kernels::RelativeAttentionBackwardArguments<T>& shared,
                        const Tensor<T>& log_sum_exp, const KeyRanges& ranges, T* dEr) {
  const std::int64_t B = log_sum_exp.dim(0), H = log_sum_exp.dim(1), queries = shared.queries, S = shared.S,
                     L = shared.L, K = shared.K;
  Tensor<T> delta = context.allocate<T>({B, H, queries});
  // The heads of all batches in at most 32 parts, whatever the number of threads: each sums its own part of
  // dEr, and these are added in their order.
  constexpr std::int64_t most_parts = 32;
  const std::int64_t part = dEr == nullptr ? 1 : (B * H + most_parts - 1) / most_parts;
  const std::int64_t parts = part == 0 ? 0 : (B * H + part - 1) / part;
  Tensor<T> partial;
  if (dEr != nullptr) partial = context.allocate<T>({parts, L, K});
  const auto& table = context.table<kernels::RelativeAttentionBackwardKernels<T>>();
  parallel_for(context.threads(), parts, grain_for(6 * part * queries * S * K),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t m = begin; m < end; ++m) {
                   if (dEr != nullptr) std::fill_n(partial.data() + m * L * K, L * K, T(0));
                   for (std::int64_t n = m * part; n < std::min((m + 1) * part, B * H); ++n) {
                     const std::int64_t b = n / H, h = n % H;
                     kernels::RelativeAttentionBackwardArguments<T> a = shared;
                     a.q += b * queries * a.q_stride + h * K;
                     a.k += b * S * a.k_stride + h * K;
                     a.v += b * S * a.v_stride + h * K;
                     a.dout += b * queries * a.dout_stride + h * K;
                     a.out += b * queries * a.out_stride + h * K;
                     a.dq += b * queries * a.dq_stride + h * K;
                     a.dk += b * S * a.dk_stride + h * K;
                     a.dv += b * S * a.dv_stride + h * K;
                     a.log_sum_exp = log_sum_exp.data() + n * queries;
                     a.delta = delta.data() + n * queries;
                     if (dEr != nullptr) a.dEr = partial.data() + m * L * K;
                     if (a.key_masked != nullptr) a.key_masked += b * S;
                     if (ranges.first.defined()) {
                       a.key_first = ranges.first.data() + b * queries;
                       a.key_last = ranges.last.data() + b * queries;
                     }
                     table.backward(context.kernel(), a);
                   }
                 }
               });
  if (dEr == nullptr) return;
  parallel_for(context.threads(), L * K, grain_for(parts), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = 0; m < parts; ++m) {
      const T* from = partial.data() + m * L * K;
      for (std::int64_t n = begin; n < end; ++n) dEr[n] += from[n];
    }
  });
}

// On a device: all heads together. `batch` has what differs between the two kinds of attention.
template <class T>
void attention_backward_on_device(Context& context, kernels::RelativeAttentionBackwardBatch<T>& batch,
                                  const Tensor<T>& dout, const Tensor<T>& out, const Tensor<T>& log_sum_exp,
                                  const Tensor<std::uint8_t>& key_masked, const KeyRanges& ranges) {
  const Tensor<std::uint8_t> masked = on_device_of(context, key_masked);
  const Tensor<std::int32_t> first = on_device_of(context, ranges.first),
                             last = on_device_of(context, ranges.last);
  kernels::RelativeAttentionBatch<T>& forward = batch.forward;
  const std::int64_t D = forward.H * forward.K;
  Tensor<T> delta = context.allocate<T>({forward.B, forward.H, forward.queries});
  // The forward pass's results, which are read alone.
  forward.out = const_cast<T*>(out.data());
  forward.log_sum_exp = const_cast<T*>(log_sum_exp.data());
  forward.out_stride = batch.dout_stride = D;
  forward.key_masked = masked.data();
  forward.key_first = first.data();
  forward.key_last = last.data();
  forward.scale = T(1) / std::sqrt(static_cast<T>(forward.K));
  batch.dout = dout.data();
  batch.delta = delta.data();
  context.table<kernels::RelativeAttentionBackwardKernels<T>>().backward_batch(context.kernel(), batch);
}

}  // namespace detail

// dqkv, [B, T, 3 D]. dEr, [L, K], is added to; rows for distances that do not occur stay as they are;
// undefined: not wanted.
template <class T>
Tensor<T> relative_self_attention_backward(Context& context, const Tensor<T>& dout, const Tensor<T>& qkv,
                                           const Tensor<T>& Er, const Tensor<T>& out,
                                           const Tensor<T>& log_sum_exp, std::int64_t heads, bool causal,
                                           const Tensor<std::uint8_t>& key_masked, Tensor<T>& dEr) {
  constexpr const char* name = "relative_self_attention_backward";
  detail::require_self_attention(name, qkv, Er, heads, key_masked);
  const std::int64_t B = qkv.dim(0), length = qkv.dim(1), D = qkv.dim(2) / 3, K = D / heads;
  detail::require_attention_gradient(name, dout.shape(), out.shape(), log_sum_exp.shape(), B, heads, length,
                                     D);
  detail::require(!dEr.defined() || dEr.shape() == Er.shape(), name, [&] {
    return "the gradient of Er " + dEr.shape().to_string() + " must be " + Er.shape().to_string();
  });
  Tensor<T> dqkv = context.allocate<T>(qkv.shape());
  if (context.on_device()) {
    kernels::RelativeAttentionBackwardBatch<T> batch;
    batch.forward.q = qkv.data(), batch.forward.k = qkv.data() + D, batch.forward.v = qkv.data() + 2 * D;
    batch.forward.q_stride = batch.forward.k_stride = batch.forward.v_stride = 3 * D;
    batch.forward.er = Er.data();
    batch.forward.B = B, batch.forward.H = heads, batch.forward.queries = batch.forward.S = length;
    batch.forward.L = Er.dim(0), batch.forward.K = K, batch.forward.causal = causal;
    batch.dq = dqkv.data(), batch.dk = dqkv.data() + D, batch.dv = dqkv.data() + 2 * D;
    batch.dq_stride = batch.dk_stride = batch.dv_stride = 3 * D;
    batch.dEr = dEr.defined() ? dEr.data() : nullptr;
    detail::attention_backward_on_device(context, batch, dout, out, log_sum_exp, key_masked, {});
    return dqkv;
  }
  // Distances below T alone occur: of Er the last T rows.
  const std::int64_t unused = (Er.dim(0) - length) * K;
  Tensor<T> er_t = context.allocate<T>({K, length});
  detail::transpose(Er.data() + unused, K, length, K, er_t.data(), length);
  kernels::RelativeAttentionBackwardArguments<T> shared;
  shared.q = qkv.data();
  shared.k = qkv.data() + D;
  shared.v = qkv.data() + 2 * D;
  shared.dq = dqkv.data();
  shared.dk = dqkv.data() + D;
  shared.dv = dqkv.data() + 2 * D;
  shared.q_stride = shared.k_stride = shared.v_stride = 3 * D;
  shared.dq_stride = shared.dk_stride = shared.dv_stride = 3 * D;
  shared.er = Er.data() + unused;
  shared.er_t = er_t.data();
  shared.dout = dout.data();
  shared.out = out.data();
  shared.dout_stride = shared.out_stride = D;
  if (key_masked.defined()) shared.key_masked = key_masked.data();
  shared.queries = shared.S = shared.L = length;
  shared.K = K;
  shared.causal = causal;
  shared.scale = T(1) / std::sqrt(static_cast<T>(K));
  detail::attention_backward(context, shared, log_sum_exp, {}, dEr.defined() ? dEr.data() + unused : nullptr);
  return dqkv;
}

template <class T>
struct CrossAttentionGradients {
  Tensor<T> dq, dkv;  // [B, T, D], [B, S, 2 D]
};

template <class T>
CrossAttentionGradients<T> cross_attention_backward(Context& context, const Tensor<T>& dout,
                                                    const Tensor<T>& q, const Tensor<T>& kv,
                                                    const Tensor<T>& out, const Tensor<T>& log_sum_exp,
                                                    std::int64_t heads, const KeyRanges& ranges = {}) {
  constexpr const char* name = "cross_attention_backward";
  detail::require_cross_attention(name, q, kv, heads, ranges);
  const std::int64_t B = q.dim(0), queries = q.dim(1), D = q.dim(2), S = kv.dim(1);
  detail::require_attention_gradient(name, dout.shape(), out.shape(), log_sum_exp.shape(), B, heads, queries,
                                     D);
  CrossAttentionGradients<T> gradients{context.allocate<T>(q.shape()), context.allocate<T>(kv.shape())};
  if (context.on_device()) {
    kernels::RelativeAttentionBackwardBatch<T> batch;
    batch.forward.q = q.data(), batch.forward.k = kv.data(), batch.forward.v = kv.data() + D;
    batch.forward.q_stride = D, batch.forward.k_stride = batch.forward.v_stride = 2 * D;
    batch.forward.B = B, batch.forward.H = heads, batch.forward.queries = queries, batch.forward.S = S;
    batch.forward.K = D / heads;
    batch.dq = gradients.dq.data(), batch.dk = gradients.dkv.data(), batch.dv = gradients.dkv.data() + D;
    batch.dq_stride = D, batch.dk_stride = batch.dv_stride = 2 * D;
    detail::attention_backward_on_device(context, batch, dout, out, log_sum_exp, {}, ranges);
    return gradients;
  }
  kernels::RelativeAttentionBackwardArguments<T> shared;
  shared.q = q.data();
  shared.k = kv.data();
  shared.v = kv.data() + D;
  shared.dq = gradients.dq.data();
  shared.dk = gradients.dkv.data();
  shared.dv = gradients.dkv.data() + D;
  shared.q_stride = shared.dq_stride = D;
  shared.k_stride = shared.v_stride = shared.dk_stride = shared.dv_stride = 2 * D;
  shared.dout = dout.data();
  shared.out = out.data();
  shared.dout_stride = shared.out_stride = D;
  shared.queries = queries;
  shared.S = S;
  shared.K = D / heads;
  shared.scale = T(1) / std::sqrt(static_cast<T>(shared.K));
  detail::attention_backward<T>(context, shared, log_sum_exp, ranges, nullptr);
  return gradients;
}

}  // namespace imu2music::inline v0
