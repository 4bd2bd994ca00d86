// y = activation(x W^T + b): a dense layer over the last axis.
//
// x: [..., K]; weight: [N, K]; bias: [N] or undefined; result: [..., N]. Throws ShapeError.
#pragma once

#include <cpu/linear.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

using kernels::Activation;

template <class T>
Tensor<T> linear(Context& context, const Tensor<T>& x, const Tensor<T>& weight, const Tensor<T>& bias,
                 Activation activation = Activation::none, T slope = T(0)) {
  detail::require(weight.rank() == 2 && x.rank() >= 1 && x.dim(-1) == weight.dim(1), "linear", [&] {
    return "input " + x.shape().to_string() + " does not fit weight " + weight.shape().to_string() +
           ": the last axis must have the weight's second size";
  });
  detail::require(!bias.defined() || bias.shape() == Shape{weight.dim(0)}, "linear", [&] {
    return "bias " + bias.shape().to_string() + " does not fit weight " + weight.shape().to_string();
  });
  const std::int64_t K = weight.dim(1), N = weight.dim(0), M = K == 0 ? 0 : x.size() / K;
  Shape shape;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) shape.push_back(x.dim(axis));
  shape.push_back(N);
  Tensor<T> y = context.allocate<T>(shape);

  kernels::LinearArguments<T> arguments;
  arguments.x = x.data();
  arguments.x_stride = K;
  arguments.W = weight.data();
  arguments.b = bias.defined() ? bias.data() : nullptr;
  arguments.y = y.data();
  arguments.y_stride = N;
  arguments.K = K;
  arguments.activation = activation;
  arguments.slope = slope;
  const auto& table = context.table<kernels::LinearKernels<T>>();
  // Few rows: share out the outputs, so that every thread streams its own part of the weights.
  if (M < 8)
    parallel_for(context.threads(), N, detail::grain_for(M * K), [&](std::int64_t begin, std::int64_t end) {
      table.forward(context.kernel(), arguments, 0, M, begin, end);
    });
  else
    parallel_for(context.threads(), M, detail::grain_for(N * K), [&](std::int64_t begin, std::int64_t end) {
      table.forward(context.kernel(), arguments, begin, end, 0, N);
    });
  return y;
}

}  // namespace imu2music::inline v0
