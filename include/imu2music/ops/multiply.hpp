// y = a b, element by element. a, b: of one shape; result as a. Throws ShapeError.
#pragma once

#include <cpu/multiply.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> multiply(Context& context, const Tensor<T>& a, const Tensor<T>& b) {
  detail::require(a.shape() == b.shape(), "multiply",
                  [&] { return a.shape().to_string() + " and " + b.shape().to_string() + " differ"; });
  Tensor<T> y = context.allocate<T>(a.shape());
  const auto& table = context.table<kernels::MultiplyKernels<T>>();
  parallel_for(context.threads(), a.size(), detail::grain_for(1), [&](std::int64_t begin, std::int64_t end) {
    table.forward(context.kernel(), a.data(), b.data(), y.data(), begin, end);
  });
  return y;
}

}  // namespace imu2music::inline v0
