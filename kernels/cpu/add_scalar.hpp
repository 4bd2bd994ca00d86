// The sum of a residual connection, portable: the truth for the other columns.
#pragma once

#include "../add_table.hpp"
#include "activation_scalar.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void add_forward(const Context&, const T* a, const T* b, T* y, std::int64_t begin, std::int64_t end,
                 Activation activation, T slope) {
  for (std::int64_t n = begin; n < end; ++n) y[n] = activate(a[n] + b[n], activation, slope);
}

}  // namespace scalar

template <class T>
void install(ScalarTag, AddKernels<T>& table) {
  table.forward = &scalar::add_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
