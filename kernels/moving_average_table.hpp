// What a running statistic does when it meets the next one: y[n] = keep y[n] + take x[n], in double whatever
// T.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct MovingAverageKernels {
  // Elements n_begin..n_end.
  void (*update)(const Context& context, const T* x, T* y, std::int64_t n_begin, std::int64_t n_end,
                 double keep, double take) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
