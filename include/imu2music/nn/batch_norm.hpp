// Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) with running statistics, eps = 1e-5:
// y = (x - mean) / sqrt(var + eps) * weight + bias, by channel. In training mode mean and var are those of
// the batch, and the running ones follow them with momentum 0.1.
#pragma once

#include "imu2music/core/context.hpp"
#include "imu2music/nn/module.hpp"
#include "imu2music/ops/batch_norm.hpp"
#include "imu2music/ops/batch_norm_map.hpp"

namespace imu2music::inline v0 {

template <class T>
struct BatchNorm {
  Parameter<T> weight, bias, running_mean, running_var;
  Counter num_batches_tracked;
  double eps = 1e-5;

  BatchNorm() = default;
  explicit BatchNorm(std::int64_t channels)
      : weight({channels}, Initializer::constant(1)),
        bias({channels}, Initializer::constant(0)),
        running_mean(Parameter<T>::buffer({channels}, 0)),
        running_var(Parameter<T>::buffer({channels}, 1)) {}

  // In evaluation mode the norm is one affine map a channel. Row 0: scale, row 1: shift; [2, channels].
  Tensor<T> affine(Context& context) const {
    return batch_norm_map(context, weight.value, bias.value, running_mean.value, running_var.value, eps);
  }

  // x: [B, channels, ...]. In training mode each B / groups entries have statistics of their own.
  template <class V>
  V forward(Context& context, const V& x, Activation activation = Activation::none, double slope = 0,
            std::int64_t groups = 1) const {
    if constexpr (records<V>) {
      return batch_norm_training(context, x, weight.value, bias.value, eps, running_mean.value,
                                 running_var.value, &num_batches_tracked, groups, activation, slope);
    } else {
      const Tensor<T> map = affine(context);
      const std::int64_t channels = weight.shape[0];
      return batch_norm(context, x, map.slice(0, 1).reshape({channels}), map.slice(1, 1).reshape({channels}),
                        activation, slope);
    }
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    visitor(prefix + "weight", weight);
    visitor(prefix + "bias", bias);
    visitor(prefix + "running_mean", running_mean);
    visitor(prefix + "running_var", running_var);
    visitor(prefix + "num_batches_tracked", num_batches_tracked);
  }
};

}  // namespace imu2music::inline v0
