// Mean negative log-likelihood of the targets, in nats a token, over those that are not `ignore`.
//
// logits: [..., V]; targets: as many as rows, each in 0..V-1 or `ignore`. Pooled over all tokens, not a mean
// of batches. Throws ShapeError, also where every target is `ignore`.
#pragma once

#include <cpu/cross_entropy.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
double cross_entropy(Context& context, const Tensor<T>& logits, const Tensor<std::int64_t>& targets,
                     std::int64_t ignore) {
  const std::int64_t V = logits.rank() == 0 ? 0 : logits.dim(-1), rows = V == 0 ? 0 : logits.size() / V;
  detail::require(targets.size() == rows, "cross_entropy", [&] {
    return "targets " + targets.shape().to_string() + " do not fit logits " + logits.shape().to_string();
  });
  std::int64_t counted = 0;
  for (std::int64_t target : targets.values()) {
    detail::require(target == ignore || (target >= 0 && target < V), "cross_entropy", [&] {
      return "target " + std::to_string(target) + " is outside the vocabulary of " + std::to_string(V);
    });
    counted += target != ignore;
  }
  detail::require(counted > 0, "cross_entropy", [] { return std::string("every target is padding"); });
  const Tensor<std::int64_t> there = on_device_of(context, targets);
  Tensor<T> nll = context.allocate<T>({rows});
  const auto& table = context.table<kernels::CrossEntropyKernels<T>>();
  parallel_for(context.threads(), rows, detail::grain_for(8 * V), [&](std::int64_t begin, std::int64_t end) {
    table.forward(context.kernel(), logits.data(), there.data(), nll.data(), begin, end, V, ignore);
  });
  nll = on_host(context, nll);
  double sum = 0;
  for (T value : nll.values()) sum += value;
  return sum / static_cast<double>(counted);
}

}  // namespace imu2music::inline v0
