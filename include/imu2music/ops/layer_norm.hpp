// Layer normalisation over the last axis, of x or of x + residual (formula and source:
// kernels/layer_norm_table.hpp).
//
// x, residual: [..., D]; gamma, beta: [D]; result as x. Throws ShapeError.
#pragma once

#include <cpu/layer_norm.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// `residual` may be undefined.
template <class T>
Tensor<T> layer_norm(Context& context, const Tensor<T>& x, const Tensor<T>& residual, const Tensor<T>& gamma,
                     const Tensor<T>& beta, T eps) {
  detail::require(x.rank() >= 1 && gamma.shape() == Shape{x.dim(-1)} && beta.shape() == gamma.shape(),
                  "layer_norm", [&] {
                    return "input " + x.shape().to_string() + " does not fit gamma " +
                           gamma.shape().to_string() + " and beta " + beta.shape().to_string();
                  });
  detail::require(!residual.defined() || residual.shape() == x.shape(), "layer_norm", [&] {
    return "residual " + residual.shape().to_string() + " differs from input " + x.shape().to_string();
  });
  const std::int64_t D = x.dim(-1), rows = D == 0 ? 0 : x.size() / D;
  Tensor<T> y = context.allocate<T>(x.shape());
  const auto& table = context.table<kernels::LayerNormKernels<T>>();
  parallel_for(context.threads(), rows, detail::grain_for(4 * D), [&](std::int64_t begin, std::int64_t end) {
    table.forward(context.kernel(), x.data(), residual.defined() ? residual.data() : nullptr, gamma.data(),
                  beta.data(), y.data(), begin, end, D, eps);
  });
  return y;
}

}  // namespace imu2music::inline v0
