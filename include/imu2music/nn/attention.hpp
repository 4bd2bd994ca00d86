// Multi-head attention layers over packed projections, named as PyTorch's MultiheadAttention names them:
// in_proj_weight [3 D, D] holds the projections to queries, keys and values in this order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "imu2music/nn/linear.hpp"
#include "imu2music/nn/module.hpp"
#include "imu2music/ops/relative_attention.hpp"

namespace imu2music::inline v0 {

// The memory tokens that one query may see: first..last - 1, last = -1: to the last.
struct KeyRange {
  std::int32_t first = 0, last = -1;
};

// What one layer keeps of one sequence; `memory` only where the layer looks at one.
template <class T>
struct DecoderLayerCache {
  KeyValueCache<T> self;
  KeyValueCache<T> memory;
};

// One sequence's part in a step that several take together.
template <class T>
struct StepRow {
  DecoderLayerCache<T>* caches = nullptr;  // one a layer
  bool padding = false;                    // no later token looks at this one
  KeyRange range = {};                     // what it sees of its memory
};

// Self-attention with relative positions; Er: [L, K], shared by the heads.
template <class T>
struct RelativeSelfAttention {
  Parameter<T> in_proj_weight, in_proj_bias, Er;
  Linear<T> out_proj;
  std::int64_t heads = 1;

  RelativeSelfAttention() = default;
  RelativeSelfAttention(std::int64_t D, std::int64_t head_count, std::int64_t L)
      : in_proj_weight(Parameter<T>::dense({3 * D, D}, Initializer::xavier(D, 3 * D))),
        in_proj_bias({3 * D}, Initializer::constant(0)),
        Er(Parameter<T>::relative_positions({L, D / head_count})),
        out_proj(D, D),
        heads(head_count) {
    out_proj.bias.initializer = Initializer::constant(0);
  }

  // x: [B, T, D]; key_masked: [B, T] or undefined.
  template <class V>
  V forward(Context& context, const V& x, bool causal, const Tensor<std::uint8_t>& key_masked = {}) const {
    const V qkv = dense(context, x, in_proj_weight, in_proj_bias);
    return out_proj.forward(context, relative_self_attention(context, qkv, parameter<V>(context, Er.value),
                                                             heads, causal, key_masked));
  }

  // Room for one sequence.
  KeyValueCache<T> make_cache(Context& context) const {
    return KeyValueCache<T>(context, heads, Er.value, Er.columns);
  }

  // One more token of each of B sequences, x: [B, D], against its cache of this layer, which takes it up; as
  // a masked key if it is padding.
  Tensor<T> step(Context& context, const Tensor<T>& x, std::span<const StepRow<T>> rows,
                 std::size_t layer) const {
    const std::int64_t B = x.dim(0), D = x.dim(1);
    const Tensor<T> qkv = dense(context, x, in_proj_weight, in_proj_bias);
    for (std::size_t b = 0; b < rows.size(); ++b) {
      const T* row = qkv.data() + static_cast<std::int64_t>(b) * 3 * D;
      rows[b].caches[layer].self.append(row + D, row + 2 * D, 3 * D, 1, rows[b].padding);
    }
    Tensor<T> attended = context.allocate<T>(x.shape());
    KeyValueCache<T>::attend(context, B, [&](std::int64_t b) {
      return typename KeyValueCache<T>::Query{&rows[static_cast<std::size_t>(b)].caches[layer].self,
                                              qkv.data() + b * 3 * D, attended.data() + b * D};
    });
    return out_proj.forward(context, attended);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "in_proj_weight", in_proj_weight);
    visitor(prefix + "in_proj_bias", in_proj_bias);
    visitor(prefix + "Er", Er);
    out_proj.visit(visitor, prefix + "out_proj.");
  }
};

// Attention of a decoder to the encoder's memory, without positions.
template <class T>
struct CrossAttention {
  Parameter<T> in_proj_weight, in_proj_bias;
  Linear<T> out_proj;
  std::int64_t heads = 1;

  CrossAttention() = default;
  CrossAttention(std::int64_t D, std::int64_t head_count)
      : in_proj_weight(Parameter<T>::dense({3 * D, D}, Initializer::xavier(D, 3 * D), D)),
        in_proj_bias({3 * D}, Initializer::constant(0)),
        out_proj(D, D),
        heads(head_count) {
    out_proj.bias.initializer = Initializer::constant(0);
  }

  // x: [B, T, D]; memory: [B, S, D]; ranges: what each query may see of it, or undefined: all.
  template <class V>
  V forward(Context& context, const V& x, const V& memory, const KeyRanges& ranges = {}) const {
    const V kv = keys_and_values(context, memory);
    return out_proj.forward(context, cross_attention(context, queries(context, x), kv, heads, ranges));
  }

  // The cache of one memory, [1, S, D]: its keys and values are projected once.
  void remember(Context& context, const Tensor<T>& memory, KeyValueCache<T>& cache) const {
    const std::int64_t D = memory.dim(2);
    const Tensor<T> kv = keys_and_values(context, memory);
    cache.clear();
    cache.append(kv.data(), kv.data() + D, 2 * D, memory.dim(1));
  }

  // One more token of each of B sequences, x: [B, D], over the memory in its cache of this layer.
  Tensor<T> step(Context& context, const Tensor<T>& x, std::span<const StepRow<T>> rows,
                 std::size_t layer) const {
    const std::int64_t B = x.dim(0), D = x.dim(1);
    const Tensor<T> q = queries(context, x);
    Tensor<T> attended = context.allocate<T>(x.shape());
    KeyValueCache<T>::attend(context, B, [&](std::int64_t b) {
      const StepRow<T>& row = rows[static_cast<std::size_t>(b)];
      return typename KeyValueCache<T>::Query{&row.caches[layer].memory, q.data() + b * D,
                                              attended.data() + b * D, row.range.first, row.range.last};
    });
    return out_proj.forward(context, attended);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "in_proj_weight", in_proj_weight);
    visitor(prefix + "in_proj_bias", in_proj_bias);
    out_proj.visit(visitor, prefix + "out_proj.");
  }

 private:
  template <class V>
  V queries(Context& context, const V& x) const {
    return dense(context, x, in_proj_weight, in_proj_bias, Activation::none, T(0), 0);
  }
  template <class V>
  V keys_and_values(Context& context, const V& memory) const {
    return dense(context, memory, in_proj_weight, in_proj_bias, Activation::none, T(0), 1);
  }
};

}  // namespace imu2music::inline v0
