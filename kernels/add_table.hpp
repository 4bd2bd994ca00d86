// The sum of a residual connection: y[n] = activation(a[n] + b[n]); y may be a or b.
#pragma once

#include <cstdint>

#include "activation.hpp"
#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct AddKernels {
  // Elements begin..end.
  void (*forward)(const Context& context, const T* a, const T* b, T* y, std::int64_t begin, std::int64_t end,
                  Activation activation, T slope) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
