// The gradient of an activation, from its result: dx = dy where y > 0, otherwise slope dy, or 0 for relu.
//
// dy, y: of one shape; result: as dy; for Activation::none it is dy itself. slope >= 0. Throws ShapeError.
#pragma once

#include <cpu/activation_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

using kernels::Activation;

template <class T>
Tensor<T> activation_backward(Context& context, const Tensor<T>& dy, const Tensor<T>& y,
                              Activation activation, double slope = 0) {
  if (activation == Activation::none) return dy;
  detail::require(dy.shape() == y.shape(), "activation_backward", [&] {
    return "gradient " + dy.shape().to_string() + " differs from result " + y.shape().to_string();
  });
  detail::require(slope >= 0, "activation_backward", [&] {
    return "slope " + std::to_string(slope) + " is negative: the result does not tell where it applied";
  });
  Tensor<T> dx = context.allocate<T>(dy.shape());
  const auto& table = context.table<kernels::ActivationBackwardKernels<T>>();
  parallel_for(context.threads(), dy.size(), detail::grain_for(1), [&](std::int64_t begin, std::int64_t end) {
    table.backward(context.kernel(), dy.data(), y.data(), dx.data(), begin, end, activation,
                   static_cast<T>(slope));
  });
  return dx;
}

}  // namespace imu2music::inline v0
