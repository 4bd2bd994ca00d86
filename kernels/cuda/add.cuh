// A residual connection's sum on the device: a thread an element.
#pragma once

#include "../add_table.hpp"
#include "activation.cuh"

namespace imu2music::inline v0::kernels::cuda {

__global__ void add_forward_kernel(const float* a, const float* b, float* y, std::int64_t count,
                                   Activation activation, float slope) {
  const std::int64_t n = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (n < count) y[n] = activate(a[n] + b[n], activation, slope);
}

inline void add_forward(const Context& context, const float* a, const float* b, float* y, std::int64_t begin,
                        std::int64_t end, Activation activation, float slope) {
  launch(context, "add_forward", add_forward_kernel, blocks_for(end - begin, 256), 256, a + begin, b + begin,
         y + begin, end - begin, activation, slope);
}

inline void install(AddKernels<float>& table) { table.forward = &add_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
