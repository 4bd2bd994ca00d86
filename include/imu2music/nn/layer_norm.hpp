// Layer normalisation with learnt scale and shift, eps = 1e-5 (Ba, Kiros, Hinton 2016, arXiv:1607.06450).
#pragma once

#include "imu2music/nn/module.hpp"
#include "imu2music/ops/layer_norm.hpp"

namespace imu2music::inline v0 {

template <class T>
struct LayerNorm {
  Parameter<T> weight, bias;
  T eps = T(1e-5);

  LayerNorm() = default;
  explicit LayerNorm(std::int64_t D)
      : weight({D}, Initializer::constant(1)), bias({D}, Initializer::constant(0)) {}

  template <class V>
  V forward(Context& context, const V& x) const {
    return layer_norm(context, x, V(), parameter<V>(context, weight.value), parameter<V>(context, bias.value),
                      eps);
  }
  // Of x + residual.
  template <class V>
  V forward(Context& context, const V& x, const V& residual) const {
    return layer_norm(context, x, residual, parameter<V>(context, weight.value),
                      parameter<V>(context, bias.value), eps);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "weight", weight);
    visitor(prefix + "bias", bias);
  }
};

}  // namespace imu2music::inline v0
