// The mean along the last axis. x: [..., K], K >= 1; result: [...]. Throws ShapeError.
#pragma once

#include <cpu/mean.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> mean(Context& context, const Tensor<T>& x) {
  detail::require(x.rank() >= 1 && x.dim(-1) >= 1, "mean",
                  [&] { return "there is no mean along the last axis of " + x.shape().to_string(); });
  Shape shape;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) shape.push_back(x.dim(axis));
  const std::int64_t K = x.dim(-1);
  Tensor<T> y = context.allocate<T>(shape);
  const auto& table = context.table<kernels::MeanKernels<T>>();
  parallel_for(context.threads(), y.size(), detail::grain_for(K), [&](std::int64_t begin, std::int64_t end) {
    table.forward(context.kernel(), x.data(), y.data(), begin, end, K);
  });
  return y;
}

}  // namespace imu2music::inline v0
