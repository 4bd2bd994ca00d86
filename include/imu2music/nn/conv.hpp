// Two-dimensional convolution.
#pragma once

#include "imu2music/nn/batch_norm.hpp"
#include "imu2music/nn/module.hpp"
#include "imu2music/ops/conv2d.hpp"

namespace imu2music::inline v0 {

template <class T>
struct Conv2d {
  Parameter<T> weight, bias;
  Conv2dOptions options;

  Conv2d() = default;
  Conv2d(std::int64_t inputs, std::int64_t outputs, std::int64_t kernel_h, std::int64_t kernel_w,
         const Conv2dOptions& conv_options = {})
      : weight({outputs, inputs, kernel_h, kernel_w}, Initializer::fan_in(inputs * kernel_h * kernel_w)),
        bias({outputs}, Initializer::fan_in(inputs * kernel_h * kernel_w)),
        options(conv_options) {}

  // activation(norm(conv(x))), the norm with its running statistics.
  template <class V>
  V forward(Context& context, const V& x, const BatchNorm<T>& norm, Activation activation) const {
    Conv2dOptions fused = options;
    fused.activation = activation;
    const Tensor<T> affine = norm.affine(context);
    const std::int64_t channels = weight.shape[0];
    return conv2d(context, x, weight.value, bias.value, affine.slice(0, 1).reshape({channels}),
                  affine.slice(1, 1).reshape({channels}), fused);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "weight", weight);
    visitor(prefix + "bias", bias);
  }
};

}  // namespace imu2music::inline v0
