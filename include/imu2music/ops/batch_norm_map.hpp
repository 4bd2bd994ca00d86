// Batch normalisation with given statistics as one affine map a channel (kernels/batch_norm_map_table.hpp),
// for batch_norm() or a convolution that it is fused into.
//
// gamma, beta, mean, variance: [C]; result: [2, C], row 0: scale = gamma / sqrt(variance + eps), row 1:
// shift = beta - mean scale. Throws ShapeError.
#pragma once

#include <cpu/batch_norm_map.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> batch_norm_map(Context& context, const Tensor<T>& gamma, const Tensor<T>& beta,
                         const Tensor<T>& mean, const Tensor<T>& variance, double eps) {
  for (const Tensor<T>* other : {&gamma, &beta, &mean, &variance})
    detail::require(other->rank() == 1 && other->shape() == gamma.shape(), "batch_norm_map", [&] {
      return "weights and statistics must be alike, (C), not " + gamma.shape().to_string() + " and " +
             other->shape().to_string();
    });
  const std::int64_t C = gamma.dim(0);
  Tensor<T> map = context.allocate<T>({2, C});
  kernels::BatchNormMapArguments<T> arguments;
  arguments.gamma = gamma.data(), arguments.beta = beta.data();
  arguments.mean = mean.data(), arguments.variance = variance.data();
  arguments.scale = map.data(), arguments.shift = map.data() + C;
  arguments.eps = eps;
  context.table<kernels::BatchNormMapKernels<T>>().forward(context.kernel(), arguments, 0, C);
  return map;
}

}  // namespace imu2music::inline v0
