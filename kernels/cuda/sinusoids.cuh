// Sinusoids of moments on the device: a thread an element, neighbours along a row. Writes y once.
#pragma once

#include "../sinusoids_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

__global__ void sinusoids_forward_kernel(const double* __restrict__ u, const double* __restrict__ rates,
                                         float* __restrict__ y, std::int64_t count, std::int64_t D) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const std::int64_t c = i % D;
  const double angle = u[i / D] * rates[c / 2];
  y[i] = static_cast<float>(c % 2 == 0 ? sin(angle) : cos(angle));
}

inline void sinusoids_forward(const Context& context, const double* u, const double* rates, float* y,
                              std::int64_t n_begin, std::int64_t n_end, std::int64_t D) {
  const std::int64_t count = (n_end - n_begin) * D;
  launch(context, "sinusoids_forward", sinusoids_forward_kernel, blocks_for(count, 256), 256, u + n_begin, rates,
         y + n_begin * D, count, D);
}

inline void install(SinusoidsKernels<float>& table) { table.forward = &sinusoids_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
