// Transformer encoder and decoder with relative self-attention, post-norm, ReLU feed-forward, and a final
// layer norm on each stack (Vaswani et al. 2017, arXiv:1706.03762; Huang et al. 2018, arXiv:1809.04281).
// In training mode dropout follows every attention, the feed-forward's hidden layer and its output; not the
// attention's probabilities.
//
// Sequences are [B, T, D]. Cross-attention is plain: the memory gets no positions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "imu2music/nn/attention.hpp"
#include "imu2music/nn/layer_norm.hpp"
#include "imu2music/nn/linear.hpp"

namespace imu2music::inline v0 {

struct TransformerSizes {
  std::int64_t D = 0;  // model width
  std::int64_t H = 0;  // heads
  std::int64_t F = 0;  // feed-forward width
  std::int64_t L = 0;  // positions in Er
};

template <class T>
struct TransformerEncoderLayer {
  RelativeSelfAttention<T> self_attn;
  Linear<T> linear1, linear2;
  LayerNorm<T> norm1, norm2;

  explicit TransformerEncoderLayer(const TransformerSizes& sizes)
      : self_attn(sizes.D, sizes.H, sizes.L),
        linear1(sizes.D, sizes.F),
        linear2(sizes.F, sizes.D),
        norm1(sizes.D),
        norm2(sizes.D) {}

  // x: [B, T, D]; causal: no token looks at a later one.
  template <class V>
  V forward(Context& context, const V& x, bool causal) const {
    const V attended = dropout(context, self_attn.forward(context, x, causal), DropoutPlace::transformer);
    return feed_forward(context, norm1.forward(context, attended, x));
  }

  // One more token of each of B causal sequences, x: [B, D].
  Tensor<T> step(Context& context, const Tensor<T>& x, std::span<const StepRow<T>> rows,
                 std::size_t layer) const {
    return feed_forward(context, norm1.forward(context, self_attn.step(context, x, rows, layer), x));
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    self_attn.visit(visitor, prefix + "self_attn.");
    linear1.visit(visitor, prefix + "linear1.");
    linear2.visit(visitor, prefix + "linear2.");
    norm1.visit(visitor, prefix + "norm1.");
    norm2.visit(visitor, prefix + "norm2.");
  }

 private:
  template <class V>
  V feed_forward(Context& context, const V& x) const {
    const V hidden =
        dropout(context, linear1.forward(context, x, Activation::relu), DropoutPlace::transformer);
    return norm2.forward(context,
                         dropout(context, linear2.forward(context, hidden), DropoutPlace::transformer), x);
  }
};

// Unmasked it is an encoder; causal, with steps, a decoder without memory.
template <class T>
struct TransformerEncoder {
  std::vector<TransformerEncoderLayer<T>> layers;
  LayerNorm<T> norm;

  TransformerEncoder() = default;
  TransformerEncoder(const TransformerSizes& sizes, int layer_count)
      : layers(static_cast<std::size_t>(layer_count), TransformerEncoderLayer<T>(sizes)), norm(sizes.D) {}

  template <class V>
  V forward(Context& context, V x, bool causal = false) const {
    for (const auto& layer : layers) x = layer.forward(context, x, causal);
    return norm.forward(context, x);
  }

  // Caches for one causal sequence.
  std::vector<DecoderLayerCache<T>> make_caches(Context& context) const {
    std::vector<DecoderLayerCache<T>> caches;
    for (const auto& layer : layers) caches.push_back({layer.self_attn.make_cache(context), {}});
    return caches;
  }

  // One more token of each of B causal sequences, x: [B, D].
  Tensor<T> step(Context& context, Tensor<T> x, std::span<const StepRow<T>> rows) const {
    for (std::size_t i = 0; i < layers.size(); ++i) x = layers[i].step(context, x, rows, i);
    return norm.forward(context, x);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    for (std::size_t i = 0; i < layers.size(); ++i)
      layers[i].visit(visitor, prefix + "layers." + std::to_string(i) + ".");
    norm.visit(visitor, prefix + "norm.");
  }
};

template <class T>
struct TransformerDecoderLayer {
  RelativeSelfAttention<T> self_attn;
  CrossAttention<T> multihead_attn;
  Linear<T> linear1, linear2;
  LayerNorm<T> norm1, norm2, norm3;

  explicit TransformerDecoderLayer(const TransformerSizes& sizes)
      : self_attn(sizes.D, sizes.H, sizes.L),
        multihead_attn(sizes.D, sizes.H),
        linear1(sizes.D, sizes.F),
        linear2(sizes.F, sizes.D),
        norm1(sizes.D),
        norm2(sizes.D),
        norm3(sizes.D) {}

  // x: [B, T, D]; memory: [B, S, D], or undefined: the attention to it is left out; key_masked: [B, T],
  // nonzero at padding.
  template <class V>
  V forward(Context& context, const V& x, const V& memory, const Tensor<std::uint8_t>& key_masked,
            const KeyRanges& ranges = {}) const {
    const V heard =
        dropout(context, self_attn.forward(context, x, true, key_masked), DropoutPlace::transformer);
    const V attended = norm1.forward(context, heard, x);
    if (!memory.defined()) return feed_forward(context, norm2.forward(context, attended));
    const V seen = dropout(context, multihead_attn.forward(context, attended, memory, ranges),
                           DropoutPlace::transformer);
    const V informed = norm2.forward(context, seen, attended);
    return feed_forward(context, informed);
  }

  Tensor<T> step(Context& context, const Tensor<T>& x, std::span<const StepRow<T>> rows,
                 std::size_t layer) const {
    const Tensor<T> attended = norm1.forward(context, self_attn.step(context, x, rows, layer), x);
    const Tensor<T> informed =
        norm2.forward(context, multihead_attn.step(context, attended, rows, layer), attended);
    return feed_forward(context, informed);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    self_attn.visit(visitor, prefix + "self_attn.");
    multihead_attn.visit(visitor, prefix + "multihead_attn.");
    linear1.visit(visitor, prefix + "linear1.");
    linear2.visit(visitor, prefix + "linear2.");
    norm1.visit(visitor, prefix + "norm1.");
    norm2.visit(visitor, prefix + "norm2.");
    norm3.visit(visitor, prefix + "norm3.");
  }

 private:
  template <class V>
  V feed_forward(Context& context, const V& x) const {
    const V hidden =
        dropout(context, linear1.forward(context, x, Activation::relu), DropoutPlace::transformer);
    return norm3.forward(context,
                         dropout(context, linear2.forward(context, hidden), DropoutPlace::transformer), x);
  }
};

template <class T>
struct TransformerDecoder {
  std::vector<TransformerDecoderLayer<T>> layers;
  LayerNorm<T> norm;

  TransformerDecoder() = default;
  TransformerDecoder(const TransformerSizes& sizes, int layer_count)
      : layers(static_cast<std::size_t>(layer_count), TransformerDecoderLayer<T>(sizes)), norm(sizes.D) {}

  template <class V>
  V forward(Context& context, V x, const V& memory, const Tensor<std::uint8_t>& key_masked,
            const KeyRanges& ranges = {}) const {
    for (const auto& layer : layers) x = layer.forward(context, x, memory, key_masked, ranges);
    return norm.forward(context, x);
  }

  // Caches for one sequence over a memory of at most `memory_length` tokens.
  std::vector<DecoderLayerCache<T>> make_caches(Context& context, std::int64_t memory_length) const {
    std::vector<DecoderLayerCache<T>> caches;
    for (const auto& layer : layers) {
      const std::int64_t H = layer.self_attn.heads, K = layer.self_attn.Er.shape[1];
      caches.push_back({layer.self_attn.make_cache(context), KeyValueCache<T>(context, H, K, memory_length)});
    }
    return caches;
  }

  // Starts a sequence over one memory, [1, S, D].
  void remember(Context& context, const Tensor<T>& memory, std::vector<DecoderLayerCache<T>>& caches) const {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      caches[i].self.clear();
      layers[i].multihead_attn.remember(context, memory, caches[i].memory);
    }
  }

  // One more token of each of B sequences, x: [B, D].
  Tensor<T> step(Context& context, Tensor<T> x, std::span<const StepRow<T>> rows) const {
    for (std::size_t i = 0; i < layers.size(); ++i) x = layers[i].step(context, x, rows, i);
    return norm.forward(context, x);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    for (std::size_t i = 0; i < layers.size(); ++i)
      layers[i].visit(visitor, prefix + "layers." + std::to_string(i) + ".");
    norm.visit(visitor, prefix + "norm.");
  }
};

}  // namespace imu2music::inline v0
