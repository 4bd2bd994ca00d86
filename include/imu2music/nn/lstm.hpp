// A stack of LSTM layers, named as PyTorch's nn.LSTM names them: weight_ih_l<i> [4 H, D], weight_hh_l<i> [4
// H, H], bias_ih_l<i>, bias_hh_l<i> [4 H], the gates in the order input, forget, candidate, output. Every
// layer is H = D wide after the first. Formula and source: kernels/lstm_table.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/transfer.hpp"
#include "imu2music/nn/module.hpp"
#include "imu2music/ops/concatenate.hpp"
#include "imu2music/ops/lstm.hpp"

namespace imu2music::inline v0 {

// Outputs and cells of every layer, [B, H] each.
template <class T>
struct LstmState {
  std::vector<Tensor<T>> h, c;

  LstmState() = default;
  LstmState(Context& context, std::size_t layers, std::int64_t B, std::int64_t H) : h(layers), c(layers) {
    for (auto* part : {&h, &c})
      for (Tensor<T>& tensor : *part) tensor = on_device_of(context, Tensor<T>({B, H}));
  }
  void clear(Context& context) {
    for (auto* part : {&h, &c})
      for (Tensor<T>& tensor : *part) zero(context, tensor);
  }
};

template <class T>
struct Lstm {
  struct Layer {
    Parameter<T> weight_ih, weight_hh, bias_ih, bias_hh;
  };
  std::vector<Layer> layers;
  std::int64_t hidden = 0;  // H

  Lstm() = default;
  Lstm(std::int64_t D, std::int64_t H, int layer_count) : hidden(H) {
    const Initializer initializer = Initializer::fan_in(H);
    for (int i = 0; i < layer_count; ++i)
      layers.push_back({Parameter<T>::dense({4 * H, i == 0 ? D : H}, initializer),
                        Parameter<T>::dense({4 * H, H}, initializer),
                        {{4 * H}, initializer},
                        {{4 * H}, initializer}});
  }

  // Zeros, where the context computes; they belong to no arena.
  LstmState<T> make_state(Context& context, std::int64_t B) const {
    return LstmState<T>(context, layers.size(), B, hidden);
  }

  // One step of every layer, x: [B, D]; the result is the last layer's output, [B, H], kept in the state.
  Tensor<T> step(Context& context, Tensor<T> x, LstmState<T>& state) const {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Layer& layer = layers[i];
      lstm_step(context, dense(context, x, layer.weight_ih, layer.bias_ih),
                dense(context, state.h[i], layer.weight_hh, layer.bias_hh), state.h[i], state.c[i]);
      x = state.h[i];
    }
    return x;
  }

  // S steps, x: [S, B, D], layer by layer: the inputs' affine maps are one product a layer, and one layer's
  // weights alone want the cache. The bits of S calls of step().
  void run(Context& context, Tensor<T> x, LstmState<T>& state) const {
    const std::int64_t S = x.dim(0), B = x.dim(1);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Layer& layer = layers[i];
      const Tensor<T> gates_x = dense(context, x.reshape({S * B, x.dim(2)}), layer.weight_ih, layer.bias_ih);
      const bool last = i + 1 == layers.size();
      if (!last) x = context.allocate<T>({S, B, hidden});
      for (std::int64_t s = 0; s < S; ++s) {
        lstm_step(context, gates_x.slice(s * B, B),
                  dense(context, state.h[i], layer.weight_hh, layer.bias_hh), state.h[i], state.c[i]);
        if (!last) {
          Tensor<T> output = x.slice(s, 1);
          copy(context, state.h[i], output);
        }
      }
    }
  }

  // One step with outputs and cells of the layers, [B, H] each, as values that are replaced.
  template <class V>
  V forward(Context& context, V x, std::vector<V>& h, std::vector<V>& c) const {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Layer& layer = layers[i];
      const V gates_x = dense(context, x, layer.weight_ih, layer.bias_ih);
      const V gates_h = dense(context, h[i], layer.weight_hh, layer.bias_hh);
      const auto next = lstm_cell(context, gates_x, gates_h, c[i]);
      h[i] = next.h;
      c[i] = next.c;
      x = h[i];
    }
    return x;
  }

  // The same over S steps, x: [S, B, D], layer by layer as run(). Gradients are other sums than those of S
  // calls of forward().
  template <class V>
  void forward_all(Context& context, const V& x, std::vector<V>& h, std::vector<V>& c) const {
    const std::int64_t S = x.dim(0), B = x.dim(1);
    V inputs = x.reshape({S * B, x.dim(2)});
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Layer& layer = layers[i];
      const V gates_x = dense(context, inputs, layer.weight_ih, layer.bias_ih);
      std::vector<V> outputs;
      for (std::int64_t s = 0; s < S; ++s) {
        const V gates_h = dense(context, h[i], layer.weight_hh, layer.bias_hh);
        const auto next = lstm_cell(context, gates_x.slice(s * B, B), gates_h, c[i]);
        h[i] = next.h;
        c[i] = next.c;
        outputs.push_back(h[i]);
      }
      if (i + 1 < layers.size()) inputs = concatenate(context, std::span<const V>(outputs), 0);
    }
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string suffix = "_l" + std::to_string(i);
      visitor(prefix + "weight_ih" + suffix, layers[i].weight_ih);
      visitor(prefix + "weight_hh" + suffix, layers[i].weight_hh);
      visitor(prefix + "bias_ih" + suffix, layers[i].bias_ih);
      visitor(prefix + "bias_hh" + suffix, layers[i].bias_hh);
    }
  }
};

}  // namespace imu2music::inline v0
