// Convolution with learnt weights: Conv2d over [B, C, H, W] (ops/conv2d.hpp), and Conv1d, causal, over
// [B, L, C], channels last (ops/conv1d.hpp). Throws ShapeError.
#pragma once

#include "imu2music/nn/batch_norm.hpp"
#include "imu2music/nn/module.hpp"
#include "imu2music/ops/conv1d.hpp"
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

  template <class V>
  V forward(Context& context, const V& x) const {
    return conv2d(context, x, parameter<V>(context, weight.value), parameter<V>(context, bias.value),
                  options);
  }
  // activation(norm(conv(x))), in evaluation mode as one operation; `groups`: nn/batch_norm.hpp.
  template <class V>
  V forward(Context& context, const V& x, const BatchNorm<T>& norm, Activation activation, double slope = 0,
            std::int64_t groups = 1) const {
    if constexpr (records<V>) {
      return norm.forward(context, forward(context, x), activation, slope, groups);
    } else {
      Conv2dOptions fused = options;
      fused.activation = activation;
      fused.slope = slope;
      const Tensor<T> affine = norm.affine(context);
      const std::int64_t channels = weight.shape[0];
      return conv2d(context, x, weight.value, bias.value, affine.slice(0, 1).reshape({channels}),
                    affine.slice(1, 1).reshape({channels}), fused);
    }
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "weight", weight);
    visitor(prefix + "bias", bias);
  }
};

// Causal: pads (kernel - 1) dilation zeros on the left.
template <class T>
struct Conv1d {
  Parameter<T> weight, bias;
  Conv1dOptions options;

  Conv1d() = default;
  Conv1d(std::int64_t inputs, std::int64_t outputs, std::int64_t kernel, std::int64_t dilation,
         std::int64_t stride)
      : weight(Parameter<T>::dense({outputs, inputs, kernel}, Initializer::fan_in(inputs * kernel))),
        bias({outputs}, Initializer::fan_in(inputs * kernel)),
        options{.stride = stride, .dilation = dilation, .pad_left = (kernel - 1) * dilation} {}

  // How many inputs, the newest included, one output looks at.
  std::int64_t reach() const { return options.pad_left + 1; }

  template <class V>
  V forward(Context& context, const V& x, Activation activation = Activation::none) const {
    Conv1dOptions fused = options;
    fused.activation = activation;
    return apply(context, x, fused);
  }
  // The one output that looks at x: [1, reach(), C].
  Tensor<T> step(Context& context, const Tensor<T>& x, Activation activation = Activation::none) const {
    Conv1dOptions fused = options;
    fused.activation = activation;
    fused.pad_left = 0;
    return apply(context, x, fused);
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "weight", weight);
    visitor(prefix + "bias", bias);
  }

 private:
  template <class V>
  V apply(Context& context, const V& x, const Conv1dOptions& fused) const {
    if constexpr (!records<V>)
      if (!weight.packed.empty()) return conv1d(context, x, weight.packed[0], bias.value, fused);
    return conv1d(context, x, parameter<V>(context, weight.value), parameter<V>(context, bias.value), fused);
  }
};

}  // namespace imu2music::inline v0
