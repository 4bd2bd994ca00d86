// The negative log-likelihood and its gradient, portable: the truth for the other columns. The maximum of the
// row is taken out of the sum of exponentials; a row that holds NaN gives NaN.
#pragma once

#include <cmath>

#include "../cross_entropy_backward_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void cross_entropy_backward(const Context&, const CrossEntropyBackwardArguments<T>& a, std::int64_t row_begin,
                            std::int64_t row_end) {
  const T share = a.smoothing / static_cast<T>(a.V);
  for (std::int64_t n = row_begin; n < row_end; ++n) {
    const T* row = a.logits + n * a.V;
    T* gradient = a.dlogits != nullptr ? a.dlogits + n * a.V : nullptr;
    double* sums = a.sums + 2 * n;
    if (a.targets[n] == a.ignore) {
      sums[0] = sums[1] = 0;
      if (gradient != nullptr)
        for (std::int64_t v = 0; v < a.V; ++v) gradient[v] = 0;
      continue;
    }
    T maximum = row[0];
    for (std::int64_t v = 1; v < a.V; ++v)
      if (row[v] > maximum) maximum = row[v];
    T sum = 0, below = 0;  // below: by how much the logits lie below the maximum, all together
    for (std::int64_t v = 0; v < a.V; ++v) {
      sum += std::exp(row[v] - maximum);
      below += maximum - row[v];
    }
    const T log_sum = std::log(sum), nll = log_sum + (maximum - row[a.targets[n]]);
    sums[0] = double(nll);
    // Without smoothing the other logits have no part in the loss, not even one of -infinity.
    sums[1] = a.smoothing == 0
                  ? double(nll)
                  : double((1 - a.smoothing) * nll + a.smoothing * (log_sum + below / static_cast<T>(a.V)));
    if (gradient == nullptr) continue;
    const T p_scale = a.scale / sum, q = a.scale * share;
    for (std::int64_t v = 0; v < a.V; ++v) gradient[v] = p_scale * std::exp(row[v] - maximum) - q;
    gradient[a.targets[n]] -= a.scale * (1 - a.smoothing);
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, CrossEntropyBackwardKernels<T>& table) {
  table.backward = &scalar::cross_entropy_backward<T>;
}

}  // namespace imu2music::inline v0::kernels
