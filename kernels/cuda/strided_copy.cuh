// Strided copies on the device: a thread an element, neighbours along y's last axis.
#pragma once

#include "../strided_copy_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

__global__ void strided_copy_kernel(StridedCopyArguments<float> a, std::int64_t count) {
  const std::int64_t e = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (e >= count) return;
  std::int64_t rest = e, from = 0, to = 0;
  for (int axis = a.rank - 1; axis >= 0; --axis) {
    const std::int64_t i = rest % a.size[axis];
    rest /= a.size[axis];
    from += i * a.x_stride[axis];
    to += i * a.y_stride[axis];
  }
  a.y[to] = a.x[from];
}

inline void strided_copy(const Context& context, const StridedCopyArguments<float>& a) {
  std::int64_t count = 1;
  for (int axis = 0; axis < a.rank; ++axis) count *= a.size[axis];
  launch(context, "strided_copy", strided_copy_kernel, blocks_for(count, 256), 256, a, count);
}

inline void install(StridedCopyKernels<float>& table) { table.copy = &strided_copy; }

}  // namespace imu2music::inline v0::kernels::cuda
