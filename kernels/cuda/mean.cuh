// The mean along the last axis on the device: a warp a row, whose lanes read it side by side; of rows of a few
// elements a thread each.
//
// Reads x once, writes y once.
#pragma once

#include "../mean_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int mean_threads = 256;

__global__ void mean_warp_kernel(const float* __restrict__ x, float* __restrict__ y, std::int64_t rows,
                                 std::int64_t K) {
  const std::int64_t row = std::int64_t{blockIdx.x} * (mean_threads / 32) + threadIdx.x / 32;
  if (row >= rows) return;  // the whole warp
  const int lane = threadIdx.x % 32;
  float sum = 0;
  for (std::int64_t k = lane; k < K; k += 32) sum += x[row * K + k];
  sum = warp_sum(sum);
  if (lane == 0) y[row] = sum / static_cast<float>(K);
}

__global__ void mean_thread_kernel(const float* __restrict__ x, float* __restrict__ y, std::int64_t rows,
                                   std::int64_t K) {
  const std::int64_t row = std::int64_t{blockIdx.x} * mean_threads + threadIdx.x;
  if (row >= rows) return;
  float sum = 0;
  for (std::int64_t k = 0; k < K; ++k) sum += x[row * K + k];
  y[row] = sum / static_cast<float>(K);
}

inline void mean_forward(const Context& context, const float* x, float* y, std::int64_t n_begin, std::int64_t n_end,
                         std::int64_t K) {
  constexpr std::int64_t few = 4;
  const std::int64_t rows = n_end - n_begin;
  launch(context, "mean_forward", K <= few ? mean_thread_kernel : mean_warp_kernel,
         blocks_for(rows, K <= few ? mean_threads : mean_threads / 32), mean_threads, x + n_begin * K, y + n_begin,
         rows, K);
}

inline void install(MeanKernels<float>& table) { table.forward = &mean_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
