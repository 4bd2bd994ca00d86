// What training needs of batch normalisation beside ops/batch_norm.hpp: the statistics of a batch and the
// gradients (formulas: kernels/batch_norm_backward_table.hpp). With the statistics, the forward pass is
// batch_norm() with scale = gamma / sqrt(variance + eps) and shift = beta - mean scale.
//
// x, dy: [B, C, ...], one element a channel at least; gamma, dgamma, dbeta, scale: [C]. Throws ShapeError.
// Threads share the channels, so no result depends on their number.
#pragma once

#include <cpu/batch_norm_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/batch_norm.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
struct BatchStatistics {
  Tensor<T> mean, variance;  // [C]; variance with divisor count
  std::int64_t count = 0;    // elements a channel
};

template <class T>
BatchStatistics<T> batch_norm_statistics(Context& context, const Tensor<T>& x) {
  detail::require(x.rank() >= 2 && (x.size() > 0 || x.dim(1) == 0), "batch_norm_statistics",
                  [&] { return "there is no mean by channel of " + x.shape().to_string(); });
  const std::int64_t B = x.dim(0), C = x.dim(1), P = C == 0 ? 0 : x.size() / (B * C);
  BatchStatistics<T> statistics{context.allocate<T>({C}), context.allocate<T>({C}), B * P};
  const auto& table = context.table<kernels::BatchNormBackwardKernels<T>>();
  parallel_for(context.threads(), C, detail::grain_for(4 * B * P), [&](std::int64_t begin, std::int64_t end) {
    table.statistics(context.kernel(), x.data(), statistics.mean.data(), statistics.variance.data(), begin,
                     end, B, C, P);
  });
  return statistics;
}

// dx; dgamma and dbeta are added to, and may be undefined.
template <class T>
Tensor<T> batch_norm_backward(Context& context, const Tensor<T>& dy, const Tensor<T>& x,
                              const BatchStatistics<T>& statistics, const Tensor<T>& gamma, double eps,
                              Tensor<T>& dgamma, Tensor<T>& dbeta) {
  detail::require(x.rank() >= 2 && dy.shape() == x.shape() && gamma.shape() == Shape{x.dim(1)} &&
                      statistics.mean.shape() == gamma.shape() &&
                      statistics.variance.shape() == gamma.shape() && (x.size() > 0 || x.dim(1) == 0),
                  "batch_norm_backward", [&] {
                    return "input " + x.shape().to_string() + ", gradient " + dy.shape().to_string() +
                           ", gamma " + gamma.shape().to_string() + " and statistics " +
                           statistics.mean.shape().to_string() + " and " +
                           statistics.variance.shape().to_string() + " do not fit";
                  });
  for (const Tensor<T>* gradient : {&dgamma, &dbeta})
    detail::require(!gradient->defined() || gradient->shape() == gamma.shape(), "batch_norm_backward", [&] {
      return "the gradient of a channel's weight must be " + gamma.shape().to_string() + ", not " +
             gradient->shape().to_string();
    });
  kernels::BatchNormBackwardArguments<T> arguments;
  arguments.B = x.dim(0), arguments.C = x.dim(1);
  arguments.P = arguments.C == 0 ? 0 : x.size() / (arguments.B * arguments.C);
  arguments.dy = dy.data(), arguments.x = x.data(), arguments.gamma = gamma.data(), arguments.eps = eps;
  arguments.mean = statistics.mean.data(), arguments.variance = statistics.variance.data();
  arguments.dgamma = dgamma.data(), arguments.dbeta = dbeta.data();
  Tensor<T> dx = context.allocate<T>(x.shape());
  arguments.dx = dx.data();
  const auto& table = context.table<kernels::BatchNormBackwardKernels<T>>();
  parallel_for(
      context.threads(), arguments.C, detail::grain_for(6 * arguments.B * arguments.P),
      [&](std::int64_t begin, std::int64_t end) { table.backward(context.kernel(), arguments, begin, end); });
  return dx;
}

// dx = dy scale[c], the gradient of batch_norm() with scale and shift constants.
template <class T>
Tensor<T> scale_backward(Context& context, const Tensor<T>& dy, const Tensor<T>& scale) {
  Tensor<T> shift = context.allocate<T>(scale.shape());
  zero(context, shift);
  return batch_norm(context, dy, scale, shift);
}

}  // namespace imu2music::inline v0
