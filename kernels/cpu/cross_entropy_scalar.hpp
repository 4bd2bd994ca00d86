// Negative log-likelihood, portable: the truth for the other columns. The maximum of the row is taken out of
// the sum of exponentials; a row that holds NaN gives NaN.
#pragma once

#include <cmath>

#include "../cross_entropy_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void cross_entropy_forward(const Context&, const T* logits, const std::int64_t* targets, T* nll,
                           std::int64_t row_begin, std::int64_t row_end, std::int64_t V,
                           std::int64_t ignore) {
  for (std::int64_t n = row_begin; n < row_end; ++n) {
    if (targets[n] == ignore) {
      nll[n] = 0;
      continue;
    }
    const T* row = logits + n * V;
    T maximum = row[0];
    for (std::int64_t v = 1; v < V; ++v)
      if (row[v] > maximum) maximum = row[v];
    T sum = 0;
    for (std::int64_t v = 0; v < V; ++v) sum += std::exp(row[v] - maximum);
    nll[n] = std::log(sum) + (maximum - row[targets[n]]);
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, CrossEntropyKernels<T>& table) {
  table.forward = &scalar::cross_entropy_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
