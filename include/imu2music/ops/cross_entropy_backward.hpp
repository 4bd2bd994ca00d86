// The training loss and its gradient: negative log-likelihood of targets that may be smoothed, as PyTorch
// defines them: probability 1 - e on the target and e / V on every token, the target among them.
//
//   loss = -sum_v q[v] log p[v],   dlogits = scale (p - q),   p = softmax(logits)
//
// logits, dlogits: [..., V]; targets: as many as rows, each in 0..V-1 or `ignore`; label_smoothing e in 0..1.
// Sums over rows, in nats, are taken in double in the order of the rows. Throws ShapeError.
#pragma once

#include <cpu/cross_entropy_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// Over the targets that are not ignored.
struct CrossEntropySums {
  double nll = 0;   // of the plain negative log-likelihood
  double loss = 0;  // of the one with smoothed targets
  std::int64_t count = 0;
};

namespace detail {

// Every row's nll and loss, [rows, 2], where the context computes; count: of the targets not ignored.
template <class T>
Tensor<double> cross_entropy_backward_rows(Context& context, const Tensor<T>& logits,
                                           const Tensor<std::int64_t>& targets, std::int64_t ignore,
                                           double label_smoothing, double scale, Tensor<T>& dlogits,
                                           std::int64_t& count) {
  const std::int64_t V = logits.rank() == 0 ? 0 : logits.dim(-1), rows = V == 0 ? 0 : logits.size() / V;
  detail::require(targets.size() == rows, "cross_entropy_backward", [&] {
    return "targets " + targets.shape().to_string() + " do not fit logits " + logits.shape().to_string();
  });
  detail::require(!dlogits.defined() || dlogits.shape() == logits.shape(), "cross_entropy_backward", [&] {
    return "gradient " + dlogits.shape().to_string() + " differs from logits " + logits.shape().to_string();
  });
  detail::require(label_smoothing >= 0 && label_smoothing <= 1, "cross_entropy_backward",
                  [&] { return "label smoothing " + std::to_string(label_smoothing) + " is outside 0..1"; });
  count = 0;
  for (const std::int64_t target : targets.values()) {
    detail::require(target == ignore || (target >= 0 && target < V), "cross_entropy_backward", [&] {
      return "target " + std::to_string(target) + " is outside the vocabulary of " + std::to_string(V);
    });
    count += target != ignore;
  }
  const Tensor<std::int64_t> there = on_device_of(context, targets);
  Tensor<double> sums = context.allocate<double>({rows, 2});
  kernels::CrossEntropyBackwardArguments<T> arguments;
  arguments.logits = logits.data();
  arguments.targets = there.data();
  arguments.dlogits = dlogits.defined() ? dlogits.data() : nullptr;
  arguments.sums = sums.data();
  arguments.V = V;
  arguments.ignore = ignore;
  arguments.smoothing = static_cast<T>(label_smoothing);
  arguments.scale = static_cast<T>(scale);
  const auto& table = context.table<kernels::CrossEntropyBackwardKernels<T>>();
  parallel_for(context.threads(), rows, detail::grain_for(16 * V), [&](std::int64_t begin, std::int64_t end) {
    table.backward(context.kernel(), arguments, begin, end);
  });
  return sums;
}

}  // namespace detail

// Overwrites dlogits, which may be logits; undefined: the sums alone. `scale` is commonly 1 / count.
template <class T>
CrossEntropySums cross_entropy_backward(Context& context, const Tensor<T>& logits,
                                        const Tensor<std::int64_t>& targets, std::int64_t ignore,
                                        double label_smoothing, double scale, Tensor<T>& dlogits) {
  CrossEntropySums result;
  const Tensor<double> sums =
      on_host(context, detail::cross_entropy_backward_rows(context, logits, targets, ignore, label_smoothing,
                                                           scale, dlogits, result.count));
  for (std::int64_t n = 0; n < sums.size() / 2; ++n) {
    result.nll += sums[2 * n];
    result.loss += sums[2 * n + 1];
  }
  return result;
}

// The same without waiting for a device: totals[0] += nll, totals[1] += loss, where the context computes.
template <class T>
void cross_entropy_backward(Context& context, const Tensor<T>& logits, const Tensor<std::int64_t>& targets,
                            std::int64_t ignore, double label_smoothing, double scale, Tensor<T>& dlogits,
                            Tensor<double>& totals) {
  if (!context.on_device()) {
    const CrossEntropySums sums =
        cross_entropy_backward(context, logits, targets, ignore, label_smoothing, scale, dlogits);
    totals[0] += sums.nll;
    totals[1] += sums.loss;
    return;
  }
  std::int64_t count = 0;
  const Tensor<double> sums = detail::cross_entropy_backward_rows(context, logits, targets, ignore,
                                                                  label_smoothing, scale, dlogits, count);
  context.table<kernels::CrossEntropyBackwardKernels<T>>().add_up(context.kernel(), sums.data(),
                                                                  sums.size() / 2, totals.data());
}

}  // namespace imu2music::inline v0
