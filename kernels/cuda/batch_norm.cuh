// Batch normalisation in evaluation mode on the device: a thread an element, neighbours along a plane.
#pragma once

#include "../batch_norm_table.hpp"
#include "activation.cuh"

namespace imu2music::inline v0::kernels::cuda {

__global__ void batch_norm_forward_kernel(const float* x, const float* __restrict__ scale,
                                          const float* __restrict__ shift, float* y, std::int64_t begin,
                                          std::int64_t count, std::int64_t C, std::int64_t P, Activation activation,
                                          float slope) {
  const std::int64_t e = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (e >= count) return;
  const std::int64_t n = begin + e, c = n / P % C;
  y[n] = activate(x[n] * scale[c] + shift[c], activation, slope);
}

inline void batch_norm_forward(const Context& context, const float* x, const float* scale, const float* shift,
                               float* y, std::int64_t plane_begin, std::int64_t plane_end, std::int64_t C,
                               std::int64_t P, Activation activation, float slope) {
  const std::int64_t count = (plane_end - plane_begin) * P;
  launch(context, "batch_norm_forward", batch_norm_forward_kernel, blocks_for(count, 256), 256, x, scale, shift, y,
         plane_begin * P, count, C, P, activation, slope);
}

inline void install(BatchNormKernels<float>& table) { table.forward = &batch_norm_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
