// The activations' gradient, portable: the truth for the other columns.
#pragma once

#include "../activation_backward_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void activation_backward(const Context&, const T* dy, const T* y, T* dx, std::int64_t begin, std::int64_t end,
                         Activation activation, T slope) {
  if (activation == Activation::relu)
    for (std::int64_t i = begin; i < end; ++i) dx[i] = y[i] > 0 ? dy[i] : T(0);
  else
    for (std::int64_t i = begin; i < end; ++i) dx[i] = y[i] > 0 ? dy[i] : slope * dy[i];
}

}  // namespace scalar

template <class T>
void install(ScalarTag, ActivationBackwardKernels<T>& table) {
  table.backward = &scalar::activation_backward<T>;
}

}  // namespace imu2music::inline v0::kernels
