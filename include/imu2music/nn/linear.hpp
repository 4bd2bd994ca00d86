// Dense layer: y = activation(x W^T + b), W: [outputs, inputs].
#pragma once

#include "imu2music/nn/module.hpp"
#include "imu2music/ops/linear.hpp"

namespace imu2music::inline v0 {

template <class T>
struct Linear {
  Parameter<T> weight, bias;

  Linear() = default;
  Linear(std::int64_t inputs, std::int64_t outputs)
      : weight(Parameter<T>::dense({outputs, inputs}, Initializer::fan_in(inputs))),
        bias({outputs}, Initializer::fan_in(inputs)) {}

  template <class V>
  V forward(Context& context, const V& x, Activation activation = Activation::none, T slope = T(0)) const {
    return dense(context, x, weight, bias, activation, slope);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "weight", weight);
    visitor(prefix + "bias", bias);
  }
};

}  // namespace imu2music::inline v0
