// The gradient of the pointwise functions of activation.hpp, taken from their results:
//
//   dx[i] = dy[i] where y[i] > 0, otherwise slope dy[i] (leaky_relu) or 0 (relu)
//
// dy, y, dx: as many elements each; dx may be dy or y. The sign of y is that of the function's argument as
// long as slope >= 0. Every column gives the same bits.
#pragma once

#include <cstdint>

#include "activation.hpp"
#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct ActivationBackwardKernels {
  // Elements begin..end; `activation` is not `none`.
  void (*backward)(const Context& context, const T* dy, const T* y, T* dx, std::int64_t begin,
                   std::int64_t end, Activation activation, T slope) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
