// Batch normalisation with the statistics of the batch (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm
// 1), and ops/batch_norm.hpp, the map with constant scale and shift, with its gradient.
#pragma once

#include <vector>

#include "imu2music/autograd/tape.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/activation_backward.hpp"
#include "imu2music/ops/batch_norm.hpp"
#include "imu2music/ops/batch_norm_backward.hpp"
#include "imu2music/ops/batch_norm_map.hpp"

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
  detail::require(groups >= 1 && x.dim(0) % groups == 0 && x.size() > 0, "batch_norm", [&] {
    return "input " + x.shape().to_string() + " cannot be normalised in " + std::to_string(groups) +
           " groups";
  });
  const std::int64_t C = x.dim(1), entries = x.dim(0) / groups;
  Tensor<T> y = groups == 1 ? Tensor<T>() : context.allocate<T>(x.shape());
  std::vector<BatchStatistics<T>> statistics;
  for (std::int64_t group = 0; group < groups; ++group) {
    const Tensor<T> part = x.value().slice(group * entries, entries);
    statistics.push_back(batch_norm_statistics(context, part));
    const BatchStatistics<T>& s = statistics.back();
    recorder.note_statistics({running_mean, running_variance, s.mean, s.variance, s.count, counter});
    const Tensor<T> map = batch_norm_map(context, gamma, beta, s.mean, s.variance, eps);
    const Tensor<T> normed = batch_norm(context, part, map.slice(0, 1).reshape({C}),
                                        map.slice(1, 1).reshape({C}), activation, slope);
    if (groups == 1) {
      y = normed;
    } else {
      Tensor<T> own = y.slice(group * entries, entries);
      copy(context, normed, own);
    }
  }
  const Tensor<T> kept = activation == Activation::none ? Tensor<T>() : y;
  return recorder.record(
      std::move(y), {&x, &weight, &bias},
      [=, statistics = std::move(statistics)](Tape<T>& tape, const Tensor<T>& dy) {
        const Tensor<T> g =
            kept.defined() ? activation_backward(tape.context(), dy, kept, activation, slope) : dy;
        Tensor<T> dgamma = tape.gradient_sum(weight), dbeta = tape.gradient_sum(bias);
        Tensor<T> dx = groups == 1 ? Tensor<T>() : tape.context().template allocate<T>(x.shape());
        for (std::int64_t group = 0; group < groups; ++group) {
          const Tensor<T> part = batch_norm_backward(
              tape.context(), g.slice(group * entries, entries), x.value().slice(group * entries, entries),
              statistics[static_cast<std::size_t>(group)], weight.value(), eps, dgamma, dbeta);
          if (groups == 1) {
            dx = part;
          } else {
            Tensor<T> own = dx.slice(group * entries, entries);
            copy(tape.context(), part, own);
          }
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
