// Products element by element. The one CPU column: a graph's matrices, some thousand numbers, are all that it is
// used for.
#pragma once

#include "../multiply_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void multiply_forward(const Context&, const T* a, const T* b, T* y, std::int64_t n_begin,
                      std::int64_t n_end) {
  for (std::int64_t n = n_begin; n < n_end; ++n) y[n] = a[n] * b[n];
}

}  // namespace scalar

template <class T>
void install(ScalarTag, MultiplyKernels<T>& table) {
  table.forward = &scalar::multiply_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
