// The gradient of a pointwise function on the device: a thread an element.
#pragma once

#include "../activation_backward_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

__global__ void activation_backward_kernel(const float* dy, const float* y, float* dx, std::int64_t count,
                                           float slope) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < count) dx[i] = y[i] > 0 ? dy[i] : slope * dy[i];
}

// As the CPU's, a product with 0 included only where the function is a leaky one.
__global__ void relu_backward_kernel(const float* dy, const float* y, float* dx, std::int64_t count) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < count) dx[i] = y[i] > 0 ? dy[i] : 0.0f;
}

inline void activation_backward(const Context& context, const float* dy, const float* y, float* dx,
                                std::int64_t begin, std::int64_t end, Activation activation, float slope) {
  const std::int64_t count = end - begin;
  if (activation == Activation::relu)
    launch(context, "relu_backward", relu_backward_kernel, blocks_for(count, 256), 256, dy + begin, y + begin,
           dx + begin, count);
  else
    launch(context, "activation_backward", activation_backward_kernel, blocks_for(count, 256), 256, dy + begin,
           y + begin, dx + begin, count, slope);
}

inline void install(ActivationBackwardKernels<float>& table) { table.backward = &activation_backward; }

}  // namespace imu2music::inline v0::kernels::cuda
