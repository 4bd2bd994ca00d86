// The gradient of the softmax-weighted mean, portable: the truth for the other columns.
#pragma once

#include <algorithm>
#include <cmath>

#include "../softmax_pool_backward_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// dv holds the weights until their sum is known.
template <class T>
void softmax_pool_backward(const Context&, const SoftmaxPoolBackwardArguments<T>& a, std::int64_t n_begin,
                           std::int64_t n_end) {
  for (std::int64_t n = n_begin; n < n_end; ++n) {
    T maximum = a.scores[n], sum = 0;
    for (std::int64_t s = 1; s < a.S; ++s) maximum = std::max(maximum, a.scores[s * a.N + n]);
    for (std::int64_t s = 0; s < a.S; ++s) {
      const T weight = std::exp(a.scores[s * a.N + n] - maximum);
      a.dv[s * a.N + n] = weight;
      sum += weight;
    }
    const T scale = a.dy[n] / sum;
    for (std::int64_t s = 0; s < a.S; ++s) {
      const std::int64_t at = s * a.N + n;
      a.dv[at] *= scale;
      a.dscores[at] = a.dv[at] * (a.v[at] - a.y[n]);
    }
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, SoftmaxPoolBackwardKernels<T>& table) {
  table.backward = &scalar::softmax_pool_backward<T>;
}

}  // namespace imu2music::inline v0::kernels
