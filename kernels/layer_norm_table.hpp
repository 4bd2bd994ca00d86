// Layer normalisation over the last axis (Ba, Kiros, Hinton 2016, arXiv:1607.06450, eq. 3-4), with the
// residual sum that precedes it in a post-norm transformer:
//
//   s = x + r          (r may be null)
//   y = (s - mean(s)) / sqrt(var(s) + eps) * gamma + beta,   var with divisor D
//
// x, r, y: [rows, D] row-major, y may be x or r; gamma, beta: [D].
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct LayerNormKernels {
  void (*forward)(const Context& context, const T* x, const T* r, const T* gamma, const T* beta, T* y,
                  std::int64_t row_begin, std::int64_t row_end, std::int64_t D, T eps) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
