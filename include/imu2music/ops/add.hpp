// y = activation(a + b), the sum of a residual connection.
//
// a, b: of one shape; result as a. Throws ShapeError.
#pragma once

#include <cpu/add.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

using kernels::Activation;

template <class T>
Tensor<T> add(Context& context, const Tensor<T>& a, const Tensor<T>& b,
              Activation activation = Activation::none, double slope = 0) {
  detail::require(a.shape() == b.shape(), "add",
                  [&] { return a.shape().to_string() + " and " + b.shape().to_string() + " differ"; });
  Tensor<T> y = context.allocate<T>(a.shape());
  const auto& table = context.table<kernels::AddKernels<T>>();
  parallel_for(context.threads(), a.size(), detail::grain_for(1), [&](std::int64_t begin, std::int64_t end) {
    table.forward(context.kernel(), a.data(), b.data(), y.data(), begin, end, activation,
                  static_cast<T>(slope));
  });
  return y;
}

}  // namespace imu2music::inline v0
