// One-dimensional convolution (cross-correlation) with dilation and an activation fused in.
//
// x: [B, C, L]; weight: [O, C, kernel]; bias: [O] or undefined; result: [B, O, (L + pad_left - (kernel - 1)
// dilation - 1) / stride + 1]. Zeros are padded on the left only: pad_left = (kernel - 1) dilation makes it
// causal. Throws ShapeError.
#pragma once

#include <cpu/conv1d.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

using kernels::Activation;

struct Conv1dOptions {
  std::int64_t stride = 1, dilation = 1, pad_left = 0;
  Activation activation = Activation::none;
  double slope = 0;  // of leaky_relu
};

template <class T>
Tensor<T> conv1d(Context& context, const Tensor<T>& x, const Tensor<T>& weight, const Tensor<T>& bias,
                 const Conv1dOptions& options = {}) {
  detail::require(x.rank() == 3 && weight.rank() == 3 && x.dim(1) == weight.dim(1) && weight.dim(2) >= 1,
                  "conv1d", [&] {
                    return "input " + x.shape().to_string() + " does not fit weight " +
                           weight.shape().to_string() + ": (B, C, L) and (O, C, kernel) are wanted";
                  });
  detail::require(!bias.defined() || bias.shape() == Shape{weight.dim(0)}, "conv1d", [&] {
    return "bias " + bias.shape().to_string() + " does not fit weight " + weight.shape().to_string();
  });
  detail::require(options.stride >= 1 && options.dilation >= 1 && options.pad_left >= 0, "conv1d",
                  [] { return std::string("stride and dilation must be 1 or more and padding 0 or more"); });
  const std::int64_t room = x.dim(2) + options.pad_left - (weight.dim(2) - 1) * options.dilation - 1;
  detail::require(room >= 0, "conv1d", [&] {
    return "the kernel of weight " + weight.shape().to_string() + " with dilation " +
           std::to_string(options.dilation) + " is longer than input " + x.shape().to_string();
  });
  kernels::Conv1dArguments<T> arguments;
  arguments.x = x.data();
  arguments.w = weight.data();
  arguments.bias = bias.defined() ? bias.data() : nullptr;
  arguments.C = x.dim(1), arguments.L = x.dim(2);
  arguments.O = weight.dim(0), arguments.kernel = weight.dim(2);
  arguments.stride = options.stride, arguments.dilation = options.dilation;
  arguments.pad_left = options.pad_left;
  arguments.out = room / options.stride + 1;
  arguments.activation = options.activation;
  arguments.slope = static_cast<T>(options.slope);
  Tensor<T> y = context.allocate<T>({x.dim(0), arguments.O, arguments.out});
  arguments.y = y.data();
  const auto& table = context.table<kernels::Conv1dKernels<T>>();
  parallel_for(
      context.threads(), x.dim(0) * arguments.O,
      detail::grain_for(arguments.out * arguments.C * arguments.kernel),
      [&](std::int64_t begin, std::int64_t end) { table.forward(context.kernel(), arguments, begin, end); });
  return y;
}

}  // namespace imu2music::inline v0
