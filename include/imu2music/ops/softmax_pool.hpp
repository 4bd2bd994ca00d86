// A softmax-weighted mean along the first axis, element by element: y = sum_s softmax_s(scores[s]) v[s].
//
// scores, v: [S, ...] of one shape, S >= 1; result: [...]. Throws ShapeError.
#pragma once

#include <cpu/softmax_pool.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> softmax_pool(Context& context, const Tensor<T>& scores, const Tensor<T>& v) {
  detail::require(scores.rank() >= 1 && scores.dim(0) >= 1 && scores.shape() == v.shape(), "softmax_pool",
                  [&] {
                    return "scores " + scores.shape().to_string() + " and values " + v.shape().to_string() +
                           " must be alike and hold one entry at least";
                  });
  Shape shape;
  for (int axis = 1; axis < v.rank(); ++axis) shape.push_back(v.dim(axis));
  const std::int64_t S = v.dim(0), N = shape.element_count();
  Tensor<T> y = context.allocate<T>(shape);
  const auto& table = context.table<kernels::SoftmaxPoolKernels<T>>();
  parallel_for(context.threads(), N, detail::grain_for(20 * S), [&](std::int64_t begin, std::int64_t end) {
    table.forward(context.kernel(), scores.data(), v.data(), y.data(), begin, end, S, N);
  });
  return y;
}

}  // namespace imu2music::inline v0
