// The gradient of the mean along the last axis on the device: a thread an element of dx.
//
// Reads dy, of which a row's threads share one number, and writes dx once.
#pragma once

#include "../mean_backward_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int mean_backward_threads = 256;

__global__ void mean_backward_kernel(const float* __restrict__ dy, float* __restrict__ dx, std::int64_t count,
                                     std::int64_t K) {
  const std::int64_t at = std::int64_t{blockIdx.x} * mean_backward_threads + threadIdx.x;
  if (at < count) dx[at] = dy[at / K] / static_cast<float>(K);
}

inline void mean_backward(const Context& context, const float* dy, float* dx, std::int64_t n_begin,
                          std::int64_t n_end, std::int64_t K) {
  const std::int64_t count = (n_end - n_begin) * K;
  launch(context, "mean_backward", mean_backward_kernel, blocks_for(count, mean_backward_threads),
         mean_backward_threads, dy + n_begin, dx + n_begin * K, count, K);
}

inline void install(MeanBackwardKernels<float>& table) { table.backward = &mean_backward; }

}  // namespace imu2music::inline v0::kernels::cuda
