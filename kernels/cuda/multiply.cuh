// Products element by element on the device: a thread an element. Reads a and b once, writes y once.
#pragma once

#include "../multiply_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int multiply_threads = 256;

__global__ void multiply_kernel(const float* a, const float* b, float* y, std::int64_t count) {
  const std::int64_t n = std::int64_t{blockIdx.x} * multiply_threads + threadIdx.x;
  if (n < count) y[n] = a[n] * b[n];
}

inline void multiply_forward(const Context& context, const float* a, const float* b, float* y, std::int64_t n_begin,
                             std::int64_t n_end) {
  launch(context, "multiply", multiply_kernel, blocks_for(n_end - n_begin, multiply_threads), multiply_threads,
         a + n_begin, b + n_begin, y + n_begin, n_end - n_begin);
}

inline void install(MultiplyKernels<float>& table) { table.forward = &multiply_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
