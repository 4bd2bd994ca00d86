// Batch normalisation in evaluation mode: y = activation(x scale[c] + shift[c]) by channel, axis 1.
//
// x: [B, C, ...]; scale, shift: [C]; result as x. Throws ShapeError.
#pragma once

#include <cpu/batch_norm.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

using kernels::Activation;

template <class T>
Tensor<T> batch_norm(Context& context, const Tensor<T>& x, const Tensor<T>& scale, const Tensor<T>& shift,
                     Activation activation = Activation::none, double slope = 0) {
  detail::require(x.rank() >= 2 && scale.shape() == Shape{x.dim(1)} && shift.shape() == scale.shape(),
                  "batch_norm", [&] {
                    return "input " + x.shape().to_string() + " does not fit scale " +
                           scale.shape().to_string() + " and shift " + shift.shape().to_string();
                  });
  const std::int64_t C = x.dim(1), planes = x.dim(0) * C, P = planes == 0 ? 0 : x.size() / planes;
  Tensor<T> y = context.allocate<T>(x.shape());
  const auto& table = context.table<kernels::BatchNormKernels<T>>();
  parallel_for(context.threads(), planes, detail::grain_for(2 * P),
               [&](std::int64_t begin, std::int64_t end) {
                 table.forward(context.kernel(), x.data(), scale.data(), shift.data(), y.data(), begin, end,
                               C, P, activation, static_cast<T>(slope));
               });
  return y;
}

}  // namespace imu2music::inline v0
