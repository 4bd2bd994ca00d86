// Elements from one layout to another, on devices; the CPU's operations have loops of their own:
//
//   y[sum_a i_a y_stride_a] = x[sum_a i_a x_stride_a]   for every i_a in 0..size_a - 1
//
// At most six axes; an x stride of 0 repeats. No two elements of y are one.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct StridedCopyArguments {
  const T* x = nullptr;
  T* y = nullptr;
  int rank = 0;
  std::int64_t size[6] = {}, x_stride[6] = {}, y_stride[6] = {};
};

template <class T>
struct StridedCopyKernels {
  void (*copy)(const Context& context, const StridedCopyArguments<T>& arguments) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
