// The gradient of the mean along the last axis. It only fills memory, which this column does as quickly as
// any other would.
#pragma once

#include <algorithm>

#include "../mean_backward_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void mean_backward(const Context&, const T* dy, T* dx, std::int64_t n_begin, std::int64_t n_end,
                   std::int64_t K) {
  for (std::int64_t n = n_begin; n < n_end; ++n) std::fill_n(dx + n * K, K, dy[n] / static_cast<T>(K));
}

}  // namespace scalar

template <class T>
void install(ScalarTag, MeanBackwardKernels<T>& table) {
  table.backward = &scalar::mean_backward<T>;
}

}  // namespace imu2music::inline v0::kernels
