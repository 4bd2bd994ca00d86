// Batch normalisation with the statistics of the batch (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm
// 1), and ops/batch_norm.hpp, the map with constant scale and shift, with its gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/activation_backward.hpp"
#include "imu2music/ops/batch_norm.hpp"
#include "imu2music/ops/batch_norm_backward.hpp"

namespace imu2music::inline v0 {

// x: [B, C, ...], B a multiple of `groups`; each B / groups outermost entries have statistics of their own,
// which the tape brings the running ones up to date with when it is told to.
template <class T>
Variable<T> batch_norm_training(Context& context, const Variable<T>& x, const Tensor<T>& gamma,
                                const Tensor<T>& beta, double eps, const Tensor<T>& running_mean,
                                const Tensor<T>& running_variance, const void* counter, std::int64_t groups,
                                Activation activation, double slope) {
  Tape<T>& recorder = Tape<T>::of(context);
  const Variable<T> weight = recorder.parameter(gamma), bias = recorder.parameter(beta);
  const std::int64_t C = x.dim(1), entries = x.dim(0) / groups;
  detail::require(groups >= 1 && x.dim(0) % groups == 0 && x.size() > 0, "batch_norm", [&] {
    return "input " + x.shape().to_string() + " cannot be normalised in " + std::to_string(groups) +
           " groups";
  });
  Tensor<T> y = context.allocate<T>(x.shape());
  std::vector<BatchStatistics<T>> statistics;
  for (std::int64_t group = 0; group < groups; ++group) {
    const Tensor<T> part = x.value().slice(group * entries, entries);
    statistics.push_back(batch_norm_statistics(context, part));
    const BatchStatistics<T>& s = statistics.back();
    recorder.note_statistics({running_mean, running_variance, s.mean, s.variance, s.count, counter});
    Tensor<T> scale = context.allocate<T>({C}), shift = context.allocate<T>({C});
    for (std::int64_t c = 0; c < C; ++c) {
      const double factor = double(gamma[c]) / std::sqrt(double(s.variance[c]) + eps);
      scale[c] = static_cast<T>(factor);
      shift[c] = static_cast<T>(double(beta[c]) - double(s.mean[c]) * factor);
    }
    const Tensor<T> normed = batch_norm(context, part, scale, shift, activation, slope);
    std::copy_n(normed.data(), normed.size(), y.data() + group * normed.size());
  }
  const Tensor<T> kept = activation == Activation::none ? Tensor<T>() : y;
  return recorder.record(
      std::move(y), {&x, &weight, &bias},
      [=, statistics = std::move(statistics)](Tape<T>& tape, const Tensor<T>& dy) {
        const Tensor<T> g =
            kept.defined() ? activation_backward(tape.context(), dy, kept, activation, slope) : dy;
        Tensor<T> dgamma = tape.gradient_sum(weight), dbeta = tape.gradient_sum(bias);
        Tensor<T> dx = tape.context().template allocate<T>(x.shape());
        for (std::int64_t group = 0; group < groups; ++group) {
          const Tensor<T> part = batch_norm_backward(
              tape.context(), g.slice(group * entries, entries), x.value().slice(group * entries, entries),
              statistics[static_cast<std::size_t>(group)], weight.value(), eps, dgamma, dbeta);
          std::copy_n(part.data(), part.size(), dx.data() + group * part.size());
        }
        tape.accumulate(x, dx);
      });
}

// y = x scale[c] + shift[c], scale and shift constants.
template <class T>
Variable<T> batch_norm(Context& context, const Variable<T>& x, const Tensor<T>& scale,
                       const Tensor<T>& shift) {
  return Tape<T>::of(context).record(batch_norm(context, x.value(), scale, shift), {&x},
                                     [x, scale](Tape<T>& tape, const Tensor<T>& dy) {
                                       tape.accumulate(x, scale_backward(tape.context(), dy, scale));
                                     });
}

}  // namespace imu2music::inline v0
