// The gradients of linear() without its activation (ops/activation_backward.hpp):
//
//   dx = dy W,   dW += dy^T x,   db += column sums of dy
//
// x, dx: [..., K]; W, dW: [N, K]; dy: [..., N]; db: [N]. Throws ShapeError.
#pragma once

#include <cpu/linear_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// dx.
template <class T>
Tensor<T> linear_backward_input(Context& context, const Tensor<T>& dy, const Tensor<T>& weight) {
  detail::require(weight.rank() == 2 && dy.rank() >= 1 && dy.dim(-1) == weight.dim(0),
                  "linear_backward_input", [&] {
                    return "gradient " + dy.shape().to_string() + " does not fit weight " +
                           weight.shape().to_string() + ": the last axis must have the weight's first size";
                  });
  const std::int64_t N = weight.dim(0), K = weight.dim(1);
  Shape shape;
  std::int64_t M = 1;
  for (int axis = 0; axis + 1 < dy.rank(); ++axis) {
    shape.push_back(dy.dim(axis));
    M *= dy.dim(axis);
  }
  shape.push_back(K);
  Tensor<T> dx = context.allocate<T>(shape);

  kernels::LinearInputGradientArguments<T> arguments;
  arguments.dy = dy.data();
  arguments.dy_stride = N;
  arguments.W = weight.data();
  arguments.dx = dx.data();
  arguments.dx_stride = K;
  arguments.N = N;
  arguments.K = K;
  const auto& table = context.table<kernels::LinearBackwardKernels<T>>();
  parallel_for(context.threads(), M, detail::grain_for(N * K), [&](std::int64_t begin, std::int64_t end) {
    table.input(context.kernel(), arguments, begin, end);
  });
  return dx;
}

// Adds to dW and db; one that is undefined is left out, and x may be undefined where dW is.
template <class T>
void linear_backward_weight(Context& context, const Tensor<T>& dy, const Tensor<T>& x, Tensor<T>& dW,
                            Tensor<T>& db) {
  if (!dW.defined() && !db.defined()) return;
  detail::require(dy.rank() >= 1, "linear_backward_weight", [] { return "the gradient has no axis"; });
  const std::int64_t N = dy.dim(-1), K = dW.defined() && x.rank() > 0 ? x.dim(-1) : 0;
  std::int64_t M = 1;
  for (int axis = 0; axis + 1 < dy.rank(); ++axis) M *= dy.dim(axis);
  if (dW.defined()) {
    bool same_rows = x.rank() == dy.rank();
    for (int axis = 0; same_rows && axis + 1 < dy.rank(); ++axis) same_rows = x.dim(axis) == dy.dim(axis);
    detail::require(same_rows, "linear_backward_weight", [&] {
      return "gradient " + dy.shape().to_string() + " and input " + x.shape().to_string() +
             " differ in more than their last axes";
    });
    detail::require(dW.shape() == Shape{N, K}, "linear_backward_weight", [&] {
      return "gradient " + dy.shape().to_string() + " and input " + x.shape().to_string() +
             " do not fit the weight's gradient " + dW.shape().to_string();
    });
  }
  detail::require(!db.defined() || db.shape() == Shape{N}, "linear_backward_weight", [&] {
    return "gradient " + dy.shape().to_string() + " does not fit the bias's gradient " +
           db.shape().to_string();
  });

  kernels::LinearWeightGradientArguments<T> arguments;
  arguments.dy = dy.data();
  arguments.dy_stride = N;
  arguments.x = dW.defined() ? x.data() : nullptr;
  arguments.x_stride = K;
  arguments.dW = dW.defined() ? dW.data() : nullptr;
  arguments.db = db.defined() ? db.data() : nullptr;
  arguments.M = M;
  arguments.K = K;
  const auto& table = context.table<kernels::LinearBackwardKernels<T>>();
  parallel_for(
      context.threads(), N, detail::grain_for(M * (K + 1)),
      [&](std::int64_t begin, std::int64_t end) { table.weight(context.kernel(), arguments, begin, end); });
}

}  // namespace imu2music::inline v0
