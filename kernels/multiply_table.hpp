// Products element by element: y[n] = a[n] b[n]. y may be a or b.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct MultiplyKernels {
  // Elements n_begin..n_end.
  void (*forward)(const Context& context, const T* a, const T* b, T* y, std::int64_t n_begin,
                  std::int64_t n_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
