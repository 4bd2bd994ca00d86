// The CPU has no kernels of its own for the gradients of cross-correlation: its table is empty.
#pragma once

#include "../conv2d_backward_table.hpp"
#include "dispatch.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
void install(ScalarTag, Conv2dBackwardKernels<T>&) {}

}  // namespace imu2music::inline v0::kernels
