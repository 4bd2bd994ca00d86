// A softmax-weighted mean along the first axis, portable: the truth for the other columns.
#pragma once

#include <algorithm>
#include <cmath>

#include "../softmax_pool_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void softmax_pool_forward(const Context&, const T* scores, const T* v, T* y, std::int64_t n_begin,
                          std::int64_t n_end, std::int64_t S, std::int64_t N) {
  for (std::int64_t n = n_begin; n < n_end; ++n) {
    T maximum = scores[n];
    for (std::int64_t s = 1; s < S; ++s) maximum = std::max(maximum, scores[s * N + n]);
    T sum = 0, weighted = 0;
    for (std::int64_t s = 0; s < S; ++s) {
      const T weight = std::exp(scores[s * N + n] - maximum);
      sum += weight;
      weighted += weight * v[s * N + n];
    }
    y[n] = weighted / sum;
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, SoftmaxPoolKernels<T>& table) {
  table.forward = &scalar::softmax_pool_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
