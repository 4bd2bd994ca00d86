// The gradients of softmax_pool (ops/softmax_pool.hpp; formula: kernels/softmax_pool_backward_table.hpp).
//
// scores, v: [S, ...] of one shape, S >= 1; y = softmax_pool(scores, v) and dy: [...]. Throws ShapeError.
#pragma once

#include <cpu/softmax_pool_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
struct SoftmaxPoolGradients {
  Tensor<T> dscores, dv;  // as scores and v
};

template <class T>
SoftmaxPoolGradients<T> softmax_pool_backward(Context& context, const Tensor<T>& dy, const Tensor<T>& scores,
                                              const Tensor<T>& v, const Tensor<T>& y) {
  detail::require(scores.rank() >= 1 && scores.dim(0) >= 1 && scores.shape() == v.shape() &&
                      dy.shape() == y.shape() && dy.rank() + 1 == v.rank(),
                  "softmax_pool_backward", [&] {
                    return "scores " + scores.shape().to_string() + ", values " + v.shape().to_string() +
                           ", result " + y.shape().to_string() + " and gradient " + dy.shape().to_string() +
                           " do not fit";
                  });
  for (int axis = 0; axis < dy.rank(); ++axis)
    detail::require(dy.dim(axis) == v.dim(axis + 1), "softmax_pool_backward", [&] {
      return "gradient " + dy.shape().to_string() + " does not fit the values " + v.shape().to_string();
    });
  SoftmaxPoolGradients<T> gradients{context.allocate<T>(v.shape()), context.allocate<T>(v.shape())};
  kernels::SoftmaxPoolBackwardArguments<T> arguments;
  arguments.dy = dy.data(), arguments.scores = scores.data(), arguments.v = v.data(), arguments.y = y.data();
  arguments.dscores = gradients.dscores.data(), arguments.dv = gradients.dv.data();
  arguments.S = v.dim(0), arguments.N = dy.size();
  const auto& table = context.table<kernels::SoftmaxPoolBackwardKernels<T>>();
  parallel_for(
      context.threads(), arguments.N, detail::grain_for(30 * arguments.S),
      [&](std::int64_t begin, std::int64_t end) { table.backward(context.kernel(), arguments, begin, end); });
  return gradients;
}

}  // namespace imu2music::inline v0
