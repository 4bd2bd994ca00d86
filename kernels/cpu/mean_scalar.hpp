// The mean along the last axis, portable: the truth for the other columns.
#pragma once

#include "../mean_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void mean_forward(const Context&, const T* x, T* y, std::int64_t n_begin, std::int64_t n_end,
                  std::int64_t K) {
  for (std::int64_t n = n_begin; n < n_end; ++n) {
    T sum = 0;
    for (std::int64_t k = 0; k < K; ++k) sum += x[n * K + k];
    y[n] = sum / static_cast<T>(K);
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, MeanKernels<T>& table) {
  table.forward = &scalar::mean_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
