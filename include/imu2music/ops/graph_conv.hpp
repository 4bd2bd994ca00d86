// Graph convolution over the nodes of a skeleton, with a batch norm in evaluation mode and an activation
// fused in (formula and source: kernels/graph_conv_table.hpp).
//
// x: [N, K C, T, V], K groups of C channels; A: [K, V, V], weighted adjacency; scale, shift: [C] or undefined
// (together); result: [N, C, T, V]. Throws ShapeError.
#pragma once

#include <cpu/graph_conv.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

using kernels::Activation;

template <class T>
Tensor<T> graph_conv(Context& context, const Tensor<T>& x, const Tensor<T>& A, const Tensor<T>& scale,
                     const Tensor<T>& shift, Activation activation = Activation::none) {
  detail::require(x.rank() == 4 && A.rank() == 3 && A.dim(1) == A.dim(2) && A.dim(0) >= 1 &&
                      x.dim(3) == A.dim(1) && x.dim(1) % A.dim(0) == 0,
                  "graph_conv", [&] {
                    return "input " + x.shape().to_string() + " does not fit the adjacency " +
                           A.shape().to_string() + ": (N, K C, T, V) and (K, V, V) are wanted";
                  });
  kernels::GraphConvArguments<T> arguments;
  arguments.K = A.dim(0), arguments.C = x.dim(1) / A.dim(0);
  arguments.frames = x.dim(2), arguments.V = x.dim(3);
  for (const Tensor<T>* channel : {&scale, &shift})
    detail::require(!channel->defined() || channel->shape() == Shape{arguments.C}, "graph_conv", [&] {
      return "scale and shift must be (" + std::to_string(arguments.C) + "), not " +
             channel->shape().to_string();
    });
  detail::require(scale.defined() == shift.defined(), "graph_conv",
                  [] { return std::string("scale and shift come together"); });
  arguments.x = x.data();
  arguments.A = A.data();
  arguments.scale = scale.defined() ? scale.data() : nullptr;
  arguments.shift = shift.defined() ? shift.data() : nullptr;
  arguments.activation = activation;
  Tensor<T> y = context.allocate<T>({x.dim(0), arguments.C, x.dim(2), x.dim(3)});
  arguments.y = y.data();
  const auto& table = context.table<kernels::GraphConvKernels<T>>();
  const std::int64_t cost = arguments.K * arguments.frames * arguments.V * arguments.V;
  parallel_for(
      context.threads(), x.dim(0) * arguments.C, detail::grain_for(cost),
      [&](std::int64_t begin, std::int64_t end) { table.forward(context.kernel(), arguments, begin, end); });
  return y;
}

}  // namespace imu2music::inline v0
