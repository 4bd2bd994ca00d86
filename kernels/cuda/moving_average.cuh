// Running statistics on the device: a thread an element, in double as on the CPU.
#pragma once

#include "../moving_average_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int moving_average_threads = 128;

__global__ void moving_average_kernel(const float* __restrict__ x, float* __restrict__ y, std::int64_t count,
                                      double keep, double take) {
  const std::int64_t n = std::int64_t{blockIdx.x} * moving_average_threads + threadIdx.x;
  if (n < count) y[n] = static_cast<float>(keep * static_cast<double>(y[n]) + take * static_cast<double>(x[n]));
}

inline void moving_average_update(const Context& context, const float* x, float* y, std::int64_t n_begin,
                                  std::int64_t n_end, double keep, double take) {
  launch(context, "moving_average", moving_average_kernel, blocks_for(n_end - n_begin, moving_average_threads),
         moving_average_threads, x + n_begin, y + n_begin, n_end - n_begin, keep, take);
}

inline void install(MovingAverageKernels<float>& table) { table.update = &moving_average_update; }

}  // namespace imu2music::inline v0::kernels::cuda
