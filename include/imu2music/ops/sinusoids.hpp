// Sinusoids of moments (formula: kernels/sinusoids_table.hpp).
//
// u: any shape, N elements; rates: [(D + 1) / 2]; both may be on the CPU whatever the context; result: [N,
// D]. Throws ShapeError.
#pragma once

#include <cpu/sinusoids.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> sinusoids(Context& context, const Tensor<double>& u, const Tensor<double>& rates, std::int64_t D) {
  detail::require(D >= 0 && rates.shape() == Shape{(D + 1) / 2}, "sinusoids", [&] {
    return "rates " + rates.shape().to_string() + " do not fit rows of " + std::to_string(D);
  });
  const Tensor<double> moments = on_device_of(context, u), there = on_device_of(context, rates);
  Tensor<T> y = context.allocate<T>({u.size(), D});
  constexpr std::int64_t operations = 40;  // of a sine
  const auto& table = context.table<kernels::SinusoidsKernels<T>>();
  parallel_for(context.threads(), u.size(), detail::grain_for(operations * D),
               [&](std::int64_t begin, std::int64_t end) {
                 table.forward(context.kernel(), moments.data(), there.data(), y.data(), begin, end, D);
               });
  return y;
}

}  // namespace imu2music::inline v0
