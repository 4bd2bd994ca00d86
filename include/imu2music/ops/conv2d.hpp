// Two-dimensional convolution (cross-correlation), with a batch norm in evaluation mode and an activation
// fused in (formula: kernels/conv2d_table.hpp).
//
// x: [B, C, H, W]; weight: [O, C, kernel_h, kernel_w]; bias, scale, shift: [O] or undefined (scale and shift
// together); result: [B, O, (H + 2 pad_h - kernel_h) / stride_h + 1, (W + 2 pad_w - kernel_w) / stride_w +
// 1]. Throws ShapeError.
#pragma once

#include <cpu/conv2d.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

using kernels::Activation;

struct Conv2dOptions {
  std::int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
  Activation activation = Activation::none;
  double slope = 0;  // of leaky_relu
};

template <class T>
Tensor<T> conv2d(Context& context, const Tensor<T>& x, const Tensor<T>& weight, const Tensor<T>& bias,
                 const Tensor<T>& scale, const Tensor<T>& shift, const Conv2dOptions& options = {}) {
  detail::require(x.rank() == 4 && weight.rank() == 4, "conv2d", [&] {
    return "input " + x.shape().to_string() + " and weight " + weight.shape().to_string() +
           " must have four axes each";
  });
  detail::require(x.dim(1) == weight.dim(1), "conv2d", [&] {
    return "input has " + std::to_string(x.dim(1)) + " channels, weight wants " +
           std::to_string(weight.dim(1)) + ": input " + x.shape().to_string() + ", weight " +
           weight.shape().to_string();
  });
  const std::int64_t B = x.dim(0), O = weight.dim(0);
  constexpr std::int64_t many = std::int64_t{1} << 31;
  detail::require(options.stride_h >= 1 && options.stride_w >= 1 && options.pad_h >= 0 &&
                      options.pad_w >= 0 && options.pad_h < many && options.pad_w < many,
                  "conv2d", [] {
                    return std::string("strides must be 1 or more and padding 0 or more, and below 2^31");
                  });
  detail::require(x.dim(2) < many && x.dim(3) < many && x.dim(2) * x.dim(3) < many, "conv2d",
                  [&] { return "an image of " + x.shape().to_string() + " has 2^31 pixels or more"; });
  const std::int64_t room_h = x.dim(2) + 2 * options.pad_h - weight.dim(2);
  const std::int64_t room_w = x.dim(3) + 2 * options.pad_w - weight.dim(3);
  detail::require(room_h >= 0 && room_w >= 0, "conv2d", [&] {
    return "the kernel of weight " + weight.shape().to_string() + " is larger than input " +
           x.shape().to_string();
  });
  for (const Tensor<T>* channel : {&bias, &scale, &shift})
    detail::require(!channel->defined() || channel->shape() == Shape{O}, "conv2d", [&] {
      return "bias, scale and shift must be (" + std::to_string(O) + "), not " + channel->shape().to_string();
    });
  detail::require(scale.defined() == shift.defined(), "conv2d",
                  [] { return std::string("scale and shift come together"); });

  kernels::Conv2dArguments<T> arguments;
  arguments.x = x.data();
  arguments.w = weight.data();
  arguments.bias = bias.defined() ? bias.data() : nullptr;
  arguments.scale = scale.defined() ? scale.data() : nullptr;
  arguments.shift = shift.defined() ? shift.data() : nullptr;
  arguments.C = x.dim(1), arguments.H = x.dim(2), arguments.W = x.dim(3);
  arguments.O = O, arguments.kernel_h = weight.dim(2), arguments.kernel_w = weight.dim(3);
  arguments.stride_h = options.stride_h, arguments.stride_w = options.stride_w;
  arguments.pad_h = options.pad_h, arguments.pad_w = options.pad_w;
  arguments.out_h = room_h / options.stride_h + 1, arguments.out_w = room_w / options.stride_w + 1;
  arguments.activation = options.activation;
  arguments.slope = static_cast<T>(options.slope);
  Tensor<T> y = context.allocate<T>({B, O, arguments.out_h, arguments.out_w});
  arguments.y = y.data();
  const auto& table = context.table<kernels::Conv2dKernels<T>>();
  const std::int64_t cost =
      arguments.out_h * arguments.out_w * arguments.C * arguments.kernel_h * arguments.kernel_w;
  parallel_for(context.threads(), B * O, detail::grain_for(cost), [&](std::int64_t begin, std::int64_t end) {
    table.forward(context.kernel(), arguments, begin, end);
  });
  return y;
}

// Without a batch norm.
template <class T>
Tensor<T> conv2d(Context& context, const Tensor<T>& x, const Tensor<T>& weight, const Tensor<T>& bias,
                 const Conv2dOptions& options = {}) {
  return conv2d(context, x, weight, bias, Tensor<T>(), Tensor<T>(), options);
}

}  // namespace imu2music::inline v0
