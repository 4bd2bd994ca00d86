// Batch normalisation in evaluation mode, portable: the truth for the other columns.
#pragma once

#include "../batch_norm_table.hpp"
#include "activation_scalar.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void batch_norm_forward(const Context&, const T* x, const T* scale, const T* shift, T* y,
                        std::int64_t plane_begin, std::int64_t plane_end, std::int64_t C, std::int64_t P,
                        Activation activation, T slope) {
  for (std::int64_t plane = plane_begin; plane < plane_end; ++plane) {
    const T s = scale[plane % C], h = shift[plane % C];
    for (std::int64_t i = plane * P; i < (plane + 1) * P; ++i)
      y[i] = activate(x[i] * s + h, activation, slope);
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, BatchNormKernels<T>& table) {
  table.forward = &scalar::batch_norm_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
