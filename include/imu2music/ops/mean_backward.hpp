// The gradient of the mean along the last axis: dx[..., k] = dy[...] / K. K >= 1; result: [..., K]. Throws
// ShapeError.
#pragma once

#include <cpu/mean_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> mean_backward(Context& context, const Tensor<T>& dy, std::int64_t K) {
  detail::require(dy.defined() && K >= 1, "mean_backward",
                  [&] { return "there is no mean of " + std::to_string(K) + " elements"; });
  Shape shape = dy.shape();
  shape.push_back(K);
  Tensor<T> dx = context.allocate<T>(shape);
  const auto& table = context.table<kernels::MeanBackwardKernels<T>>();
  parallel_for(context.threads(), dy.size(), detail::grain_for(K), [&](std::int64_t begin, std::int64_t end) {
    table.backward(context.kernel(), dy.data(), dx.data(), begin, end, K);
  });
  return dx;
}

}  // namespace imu2music::inline v0
