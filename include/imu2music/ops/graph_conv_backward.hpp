// The gradients of graph_conv (ops/graph_conv.hpp) without scale, shift and activation (formulas:
// kernels/graph_conv_backward_table.hpp).
//
// dy: [N, C, T, V]; A, dA: [K, V, V]; x, dx: [N, K C, T, V]. Throws ShapeError.
#pragma once

#include <algorithm>
#include <cpu/graph_conv.hpp>
#include <cpu/graph_conv_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"
#include "imu2music/ops/permute.hpp"

namespace imu2music::inline v0 {

// dx.
template <class T>
Tensor<T> graph_conv_backward_input(Context& context, const Tensor<T>& dy, const Tensor<T>& A) {
  detail::require(
      dy.rank() == 4 && A.rank() == 3 && A.dim(0) >= 1 && A.dim(1) == A.dim(2) && dy.dim(3) == A.dim(1),
      "graph_conv_backward_input", [&] {
        return "gradient " + dy.shape().to_string() + " does not fit the adjacency " + A.shape().to_string() +
               ": (N, C, T, V) and (K, V, V) are wanted";
      });
  const std::int64_t N = dy.dim(0), K = A.dim(0), C = dy.dim(1), V = dy.dim(3), plane = dy.dim(2) * V;
  Tensor<T> dx = context.allocate<T>({N, K * C, dy.dim(2), V});
  if (const auto& own = context.table<kernels::GraphConvBackwardKernels<T>>(); own.input != nullptr) {
    own.input(context.kernel(), {dy.data(), A.data(), dx.data(), N, K, C, dy.dim(2), V});
    return dx;
  }
  const Tensor<T> transposed = permute(context, A, {0, 2, 1});
  const auto& table = context.table<kernels::GraphConvKernels<T>>();
  parallel_for(context.threads(), N * K * C, detail::grain_for(plane * V),
               [&](std::int64_t begin, std::int64_t end) {
                 kernels::GraphConvArguments<T> arguments;
                 arguments.K = 1, arguments.C = C, arguments.frames = dy.dim(2), arguments.V = V;
                 while (begin < end) {  // the planes of one n and k at a time
                   const std::int64_t group = begin / C, first = group * C, n = group / K, k = group % K;
                   const std::int64_t stop = std::min(end, first + C);
                   arguments.x = dy.data() + n * C * plane;
                   arguments.A = transposed.data() + k * V * V;
                   arguments.y = dx.data() + first * plane;
                   table.forward(context.kernel(), arguments, begin - first, stop - first);
                   begin = stop;
                 }
               });
  return dx;
}

// dA += the gradient in A. Its bits do not depend on the number of threads.
template <class T>
void graph_conv_backward_weight(Context& context, const Tensor<T>& dy, const Tensor<T>& x, Tensor<T>& dA) {
  detail::require(dy.rank() == 4 && dA.rank() == 3 && dA.dim(1) == dA.dim(2) && dy.dim(3) == dA.dim(1) &&
                      x.shape() == Shape{dy.dim(0), dA.dim(0) * dy.dim(1), dy.dim(2), dy.dim(3)},
                  "graph_conv_backward_weight", [&] {
                    return "input " + x.shape().to_string() + " and gradient " + dy.shape().to_string() +
                           " do not fit the adjacency " + dA.shape().to_string();
                  });
  kernels::GraphConvBackwardArguments<T> arguments;
  arguments.x = x.data(), arguments.dy = dy.data(), arguments.dA = dA.data();
  arguments.N = dy.dim(0), arguments.K = dA.dim(0), arguments.V = dy.dim(3);
  arguments.frames = dy.dim(1) * dy.dim(2);
  const auto& table = context.table<kernels::GraphConvBackwardKernels<T>>();
  parallel_for(
      context.threads(), arguments.K * arguments.V, detail::grain_for(dy.size()),
      [&](std::int64_t begin, std::int64_t end) { table.weight(context.kernel(), arguments, begin, end); });
}

}  // namespace imu2music::inline v0
