// A step of Adam on one parameter, and the sum of squares that a gradient's norm is made of.
//
//   g = gradient_scale gradient (+ weight_decay p)
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   p -= learning_rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + eps)
//
// With `decoupled` weight decay (AdamW) g is free of it and p is first multiplied by 1 - learning_rate
// weight_decay. As PyTorch's Adam and AdamW. The factors are computed in double.
//
// Sources: Kingma and Ba 2015 (arXiv:1412.6980); Loshchilov and Hutter 2019 (arXiv:1711.05101); beta2 and eps
// as Vaswani et al. 2017 (arXiv:1706.03762, section 5.3) choose them for transformers.
#pragma once

#include <cmath>

#include <cpu/adam.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

struct AdamOptions {
  double learning_rate = 0;
  double beta1 = 0.9, beta2 = 0.98;
  double eps = 1e-9;
  double weight_decay = 0;
  bool decoupled = false;  // AdamW
};

// What a step on a device can do beside (kernels/adam_table.hpp); nothing of it is for the CPU.
template <class T>
struct AdamOnDevice {
  const T* scale = nullptr;  // a factor of the gradients that lies there
  bool clear = false;        // the gradients become zero
  void* rounded = nullptr;   // the parameters in bfloat16
};

// step: 1 for the first one, where both moments are zero. Throws ShapeError.
template <class T>
void adam_step(Context& context, Tensor<T>& parameter, const Tensor<T>& gradient, Tensor<T>& first_moment,
               Tensor<T>& second_moment, std::int64_t step, double gradient_scale,
               const AdamOptions& options, const AdamOnDevice<T>& on_device = {}) {
  detail::require(gradient.shape() == parameter.shape() && first_moment.shape() == parameter.shape() &&
                      second_moment.shape() == parameter.shape(),
                  "adam_step", [&] {
                    return "gradient " + gradient.shape().to_string() + " and moments " +
                           first_moment.shape().to_string() + ", " + second_moment.shape().to_string() +
                           " do not fit the parameter " + parameter.shape().to_string();
                  });
  detail::require(step >= 1, "adam_step",
                  [&] { return "steps count from 1, this is step " + std::to_string(step); });
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(options.beta2, static_cast<double>(step));
  kernels::AdamArguments<T> arguments;
  arguments.parameter = parameter.data();
  arguments.gradient = gradient.data();
  arguments.first_moment = first_moment.data();
  arguments.second_moment = second_moment.data();
  arguments.gradient_scale = static_cast<T>(gradient_scale);
  arguments.gradient_decay = static_cast<T>(options.decoupled ? 0 : options.weight_decay);
  arguments.weight = static_cast<T>(options.decoupled ? 1 - options.learning_rate * options.weight_decay : 1);
  arguments.beta2 = static_cast<T>(options.beta2);
  arguments.one_minus_beta1 = static_cast<T>(1 - options.beta1);
  arguments.one_minus_beta2 = static_cast<T>(1 - options.beta2);
  arguments.step_size = static_cast<T>(options.learning_rate / correction1);
  arguments.inverse_root = static_cast<T>(1 / std::sqrt(correction2));
  arguments.eps = static_cast<T>(options.eps);
  arguments.device_scale = on_device.scale;
  arguments.cleared = on_device.clear ? const_cast<T*>(gradient.data()) : nullptr;
  arguments.rounded = on_device.rounded;
  const auto& table = context.table<kernels::AdamKernels<T>>();
  parallel_for(
      context.threads(), parameter.size(), detail::grain_for(4),
      [&](std::int64_t begin, std::int64_t end) { table.step(context.kernel(), arguments, begin, end); });
}

// x[i]^2 summed over each stretch of x, in double, where the context computes.
template <class T>
Tensor<double> sums_of_squares(Context& context, const Tensor<T>& x) {
  const std::int64_t stretches = (x.size() + kernels::square_stretch - 1) / kernels::square_stretch;
  Tensor<double> sums = context.allocate<double>({stretches});
  const auto& table = context.table<kernels::AdamKernels<T>>();
  parallel_for(context.threads(), stretches, detail::grain_for(kernels::square_stretch),
               [&](std::int64_t begin, std::int64_t end) {
                 table.sums_of_squares(context.kernel(), x.data(), sums.data(), x.size(), begin, end);
               });
  return sums;
}

// sum_i x[i]^2, in double, in an order that depends on the number of elements alone.
template <class T>
double sum_of_squares(Context& context, const Tensor<T>& x) {
  const Tensor<double> sums = on_host(context, sums_of_squares(context, x));
  double sum = 0;
  for (const double part : sums.values()) sum += part;
  return sum;
}

}  // namespace imu2music::inline v0
