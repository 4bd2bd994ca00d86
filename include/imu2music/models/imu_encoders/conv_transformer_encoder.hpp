// IMU2Music's ConvTransformer encoder: six segments of one second, each an image, attended to by convolution.
//
//   input     [B, 2, h, 150]: sensors, rows (the nine axes), frames at 25 Hz; segment s = frames 25 s .. 25 s
//             + 24
//   images    four 3x3 convolutions, padded by 1, 2→4→6→8→D, each with BN and LeakyReLU .01; plus
//             pos_table[s]: for even s the sine, for odd s the cosine of s / 10000^(2 floor(c/2) / D)
//   layers    each: LayerNorm over (D, h, 25), convolutional attention, residual; LayerNorm, Linear 6→24,
//             LeakyReLU .01, Linear 24→6 along the segments, residual
//   attention, one head of H: a 1x1 convolution D→3 D gives Q, K, V, each times its own D x D/H matrix (the
//             two maps are computed as one); for segment i: softmax over l of conv5x5(Q_i + K_l), times V_l,
//             summed over l; heads side by side, times W0
//   output    tokens in the order (h, time, segment): [B, 150 h, D]
//
// conv5x5(Q_i + K_l) = conv5x5(Q_i) + conv5x5(K_l) up to the bias, and the first term is alike for all l, so
// the softmax cancels it: every segment gets the same output, whatever Q is. A defect of the published model,
// kept for its weights; it is also why no Q is computed here and the sum over l is formed once. Q's weights
// are loaded and saved with the others.
//
// In training mode batch norms take each segment by itself. Throws ShapeError for an input of another shape.
// Sources: github kiototeko/IMU2Music; Liu et al.
// 2020, ConvTransformer (arXiv:2011.10185).
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "imu2music/core/context.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/nn/batch_norm.hpp"
#include "imu2music/nn/conv.hpp"
#include "imu2music/nn/linear.hpp"
#include "imu2music/ops/add.hpp"
#include "imu2music/ops/concatenate.hpp"
#include "imu2music/ops/layer_norm.hpp"
#include "imu2music/ops/permute.hpp"
#include "imu2music/ops/softmax_pool.hpp"

namespace imu2music::inline v0 {

template <class T>
struct ConvTransformerHead {
  Parameter<T> Wiq, Wik, Wiv;  // [D, D / H]
  Conv2d<T> conv1, conv2;

  ConvTransformerHead(std::int64_t D, std::int64_t K)
      : Wiq({D, K}, Initializer::xavier(D, K)),
        Wik(Wiq),
        Wiv(Wiq),
        conv1(D, 3 * D, 1, 1),
        conv2(K, K, 5, 5, {.pad_h = 2, .pad_w = 2}) {}

  // x: [S B, D, h, w], segments outermost → [B, K, h, w].
  template <class V>
  V forward(Context& context, const V& x, std::int64_t S) const {
    const std::int64_t D = Wik.shape[0], K = Wik.shape[1], B = x.dim(0) / S;
    // Both maps of every pixel as one: K x D multiply-adds each in place of D x D more.
    const auto project = [&](std::int64_t part, const Parameter<T>& matrix) {
      const V turned = permute(context, parameter<V>(context, matrix.value), {1, 0});
      const V weight = parameter<V>(context, conv1.weight.value.slice(part * D, D).reshape({D, D}));
      const V bias = parameter<V>(context, conv1.bias.value.slice(part * D, D).reshape({1, D}));
      const V kernel = linear(context, turned, permute(context, weight, {1, 0}), V());
      return conv2d(context, x, kernel.reshape({K, D, 1, 1}),
                    linear(context, bias, turned, V()).reshape({K}));
    };
    // Its gradient is zero, but a weight decay acts on it like on the others.
    if constexpr (records<V>) parameter<V>(context, Wiq.value);
    const V scores = conv2.forward(context, project(1, Wik));
    const Shape segments{S, B, K, x.dim(2), x.dim(3)};
    return softmax_pool(context, scores.reshape(segments), project(2, Wiv).reshape(segments));
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "Wiq", Wiq);
    visitor(prefix + "Wik", Wik);
    visitor(prefix + "Wiv", Wiv);
    conv1.visit(visitor, prefix + "conv1.0.");
    conv2.visit(visitor, prefix + "conv2.0.");
  }
};

template <class T>
struct ConvTransformerLayer {
  Parameter<T> norm1_weight, norm1_bias, norm2_weight, norm2_bias;  // [D, h, 25]
  Parameter<T> W0;                                                  // [D, D]
  std::vector<ConvTransformerHead<T>> heads;
  Linear<T> widen, narrow;

  ConvTransformerLayer(std::int64_t D, std::int64_t head_count, std::int64_t h, std::int64_t w,
                       std::int64_t S)
      : norm1_weight({D, h, w}, Initializer::constant(1)),
        norm1_bias({D, h, w}, Initializer::constant(0)),
        norm2_weight(norm1_weight),
        norm2_bias(norm1_bias),
        W0({D, D}, Initializer::xavier(D, D)),
        heads(static_cast<std::size_t>(head_count), ConvTransformerHead<T>(D, D / head_count)),
        widen(S, 4 * S),
        narrow(4 * S, S) {}

  // x: [S B, D, h, w], segments outermost.
  template <class V>
  V forward(Context& context, const V& x, std::int64_t S) const {
    const std::int64_t D = x.dim(1), B = x.dim(0) / S, pixels = x.size() / S;
    const V normed = normalise(context, x, norm1_weight, norm1_bias);
    std::vector<V> outputs;
    for (const ConvTransformerHead<T>& head : heads) outputs.push_back(head.forward(context, normed, S));
    const V joined = concatenate(context, std::span<const V>(outputs), 1);  // [B, D, h, w]
    const V mixed =
        conv2d(context, joined,
               permute(context, parameter<V>(context, W0.value), {1, 0}).reshape({D, D, 1, 1}), V());
    const std::vector<V> alike(static_cast<std::size_t>(S), mixed);
    const V attended = add(context, x, concatenate(context, std::span<const V>(alike), 0));

    const V again = normalise(context, attended, norm2_weight, norm2_bias).reshape({S, pixels});
    const V hidden = widen.forward(context, permute(context, again, {1, 0}), Activation::leaky_relu, T(0.01));
    const V along = permute(context, narrow.forward(context, hidden), {1, 0});
    return add(context, attended, along.reshape({S * B, D, x.dim(2), x.dim(3)}));
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "0.fn.norm.weight", norm1_weight);
    visitor(prefix + "0.fn.norm.bias", norm1_bias);
    visitor(prefix + "0.fn.fn.W0", W0);
    for (std::size_t i = 0; i < heads.size(); ++i)
      heads[i].visit(visitor, prefix + "0.fn.fn.convs." + std::to_string(i) + ".");
    visitor(prefix + "1.fn.norm.weight", norm2_weight);
    visitor(prefix + "1.fn.norm.bias", norm2_bias);
    widen.visit(visitor, prefix + "1.fn.fn.net.0.");
    narrow.visit(visitor, prefix + "1.fn.fn.net.2.");
  }

 private:
  template <class V>
  static V normalise(Context& context, const V& x, const Parameter<T>& weight, const Parameter<T>& bias) {
    const std::int64_t image = weight.shape.element_count();
    return layer_norm(context, x.reshape({x.dim(0), image}), V(),
                      parameter<V>(context, weight.value.reshape({image})),
                      parameter<V>(context, bias.value.reshape({image})), T(1e-5))
        .reshape(x.shape());
  }
};

template <class T>
struct ConvTransformerEncoder {
  static constexpr std::int64_t sensors = 2, frames = 150, segments = 6, segment_frames = 25;

  std::int64_t rows = 0;  // h
  Conv2d<T> conv[4];
  BatchNorm<T> bn[4];
  Parameter<T> pos_table;  // [6, training batch, D, h, 25], alike in all but the first and third axis
  std::vector<ConvTransformerLayer<T>> layers;

  ConvTransformerEncoder() = default;
  ConvTransformerEncoder(std::int64_t D, std::int64_t heads, int layer_count, std::int64_t row_count)
      : rows(row_count),
        layers(static_cast<std::size_t>(layer_count),
               ConvTransformerLayer<T>(D, heads, row_count, segment_frames, segments)) {
    const std::int64_t widths[5] = {sensors, 4, 6, 8, D};
    for (int i = 0; i < 4; ++i) {
      conv[i] = Conv2d<T>(widths[i], widths[i + 1], 3, 3, {.pad_h = 1, .pad_w = 1});
      bn[i] = BatchNorm<T>(widths[i + 1]);
    }
    pos_table = Parameter<T>::buffer({segments, 1, D, rows, segment_frames}, 0);
    pos_table.formula = &segment_positions;
    pos_table.free_axis = 1;
  }

  // The formula of pos_table.
  static Tensor<T> segment_positions(const Shape& shape) {
    Tensor<T> table = Tensor<T>::uninitialised(shape);
    const std::int64_t D = shape[2], plane = shape[3] * shape[4];
    for (std::int64_t n = 0; n < shape[0] * shape[1] * D; ++n) {
      const std::int64_t s = n / (shape[1] * D), c = n % D;
      const double angle = static_cast<double>(s) *
                           std::pow(10000.0, -static_cast<double>(c / 2 * 2) / static_cast<double>(D));
      std::fill_n(table.data() + n * plane, plane,
                  static_cast<T>(s % 2 == 0 ? std::sin(angle) : std::cos(angle)));
    }
    return table;
  }

  std::int64_t tokens() const { return rows * frames; }
  bool takes(const Shape& input) const {
    return input.rank() == 4 && input[0] >= 1 && input == Shape{input[0], sensors, rows, frames};
  }
  std::string wanted() const { return "(B, 2, " + std::to_string(rows) + ", 150): sensors, rows, frames"; }

  // input: [B, 2, h, 150] → [B, 150 h, D].
  template <class V>
  V forward(Context& context, const V& input) const {
    detail::require(takes(input.shape()), "conv_transformer_encoder",
                    [&] { return "the input must be " + wanted() + "; not " + input.shape().to_string(); });
    const std::int64_t B = input.dim(0), D = conv[3].weight.shape[0];
    // [B, 2, h, 6, 25] → [6 B, 2, h, 25]
    V x = permute(context, input.reshape({B, sensors, rows, segments, segment_frames}), {3, 0, 1, 2, 4})
              .reshape({segments * B, sensors, rows, segment_frames});
    for (int i = 0; i < 4; ++i)
      x = conv[i].forward(context, x, bn[i], Activation::leaky_relu, 0.01, segments);
    x = add(context, x, constant<V>(positions(context, B)));
    for (const ConvTransformerLayer<T>& layer : layers) x = layer.forward(context, x, segments);
    // [6, B, D, h, 25] → [B, h, 25, 6, D]
    return permute(context, x.reshape({segments, B, D, rows, segment_frames}), {1, 3, 4, 0, 2})
        .reshape({B, tokens(), D});
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    for (int i = 0; i < 4; ++i)
      conv[i].visit(visitor, prefix + "generator.conv" + std::to_string(i + 1) + ".");
    for (int i = 0; i < 4; ++i) bn[i].visit(visitor, prefix + "generator.bn" + std::to_string(i + 1) + ".");
    visitor(prefix + "pos_embedding.pos_table", pos_table);
    for (std::size_t i = 0; i < layers.size(); ++i)
      layers[i].visit(visitor, prefix + "Encoder.layers." + std::to_string(i) + ".");
  }

 private:
  // The table for a batch of B: its first entry, B times.
  Tensor<T> positions(Context& context, std::int64_t B) const {
    const std::int64_t stored = pos_table.value.dim(1), image = pos_table.value.size() / (segments * stored);
    Tensor<T> result = context.allocate<T>({segments * B, pos_table.value.dim(2), rows, segment_frames});
    const Tensor<T> table = pos_table.value.reshape({segments * stored, image});
    for (std::int64_t n = 0; n < segments * B; ++n) {
      Tensor<T> one = result.slice(n, 1);
      copy(context, table.slice(n / B * stored, 1), one);
    }
    return result;
  }
};

}  // namespace imu2music::inline v0
