// running = keep running + take x, element by element, in double: how running statistics follow those of a
// batch.
//
// x, running: of one shape. Throws ShapeError.
#pragma once

#include <cpu/moving_average.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
void moving_average(Context& context, const Tensor<T>& x, Tensor<T>& running, double keep, double take) {
  detail::require(x.shape() == running.shape(), "moving_average",
                  [&] { return x.shape().to_string() + " and " + running.shape().to_string() + " differ"; });
  context.table<kernels::MovingAverageKernels<T>>().update(context.kernel(), x.data(), running.data(), 0,
                                                           x.size(), keep, take);
}

}  // namespace imu2music::inline v0
