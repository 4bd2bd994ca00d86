// The gradients of layer_norm(): ds, of both x and the residual, and those of gamma and beta.
//
// dy, x, residual: [..., D]; gamma, dgamma, dbeta: [D]; result: as x. Mean and deviation of every row are
// computed anew. Throws ShapeError.
#pragma once

#include <cpu/layer_norm_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// `residual` may be undefined. Adds to dgamma and dbeta; one that is undefined is left out.
template <class T>
Tensor<T> layer_norm_backward(Context& context, const Tensor<T>& dy, const Tensor<T>& x,
                              const Tensor<T>& residual, const Tensor<T>& gamma, T eps, Tensor<T>& dgamma,
                              Tensor<T>& dbeta) {
  detail::require(
      dy.rank() >= 1 && dy.shape() == x.shape() && (!residual.defined() || residual.shape() == x.shape()),
      "layer_norm_backward", [&] {
        return "gradient " + dy.shape().to_string() + ", input " + x.shape().to_string() + " and residual " +
               residual.shape().to_string() + " must have one shape";
      });
  const std::int64_t D = x.dim(-1), rows = D == 0 ? 0 : x.size() / D;
  detail::require(gamma.shape() == Shape{D} && (!dgamma.defined() || dgamma.shape() == gamma.shape()) &&
                      (!dbeta.defined() || dbeta.shape() == gamma.shape()),
                  "layer_norm_backward", [&] {
                    return "input " + x.shape().to_string() + " does not fit gamma " +
                           gamma.shape().to_string() + " and the gradients " + dgamma.shape().to_string() +
                           " and " + dbeta.shape().to_string();
                  });
  Tensor<T> ds = context.allocate<T>(x.shape());
  Tensor<T> statistics = context.allocate<T>({rows, 2});
  const T* r = residual.defined() ? residual.data() : nullptr;
  const auto& table = context.table<kernels::LayerNormBackwardKernels<T>>();
  parallel_for(context.threads(), rows, detail::grain_for(8 * D), [&](std::int64_t begin, std::int64_t end) {
    table.input(context.kernel(), dy.data(), x.data(), r, gamma.data(), ds.data(), statistics.data(), begin,
                end, D, eps);
  });
  if (!dgamma.defined() && !dbeta.defined()) return ds;
  parallel_for(context.threads(), D, detail::grain_for(4 * rows), [&](std::int64_t begin, std::int64_t end) {
    table.parameters(context.kernel(), dy.data(), x.data(), r, statistics.data(),
                     dgamma.defined() ? dgamma.data() : nullptr, dbeta.defined() ? dbeta.data() : nullptr,
                     rows, begin, end, D);
  });
  return ds;
}

}  // namespace imu2music::inline v0
