// Negative log-likelihoods on the device: a warp a row, the row read twice.
#pragma once

#include "../cross_entropy_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int cross_entropy_warps = 8;  // rows a block

__global__ void cross_entropy_forward_kernel(const float* __restrict__ logits,
                                             const std::int64_t* __restrict__ targets, float* __restrict__ nll,
                                             std::int64_t rows, std::int64_t V, std::int64_t ignore) {
  const std::int64_t row = std::int64_t{blockIdx.x} * cross_entropy_warps + threadIdx.x / 32;
  if (row >= rows) return;  // whole warps
  const int lane = threadIdx.x % 32;
  const std::int64_t target = targets[row];
  const float* x = logits + row * V;
  float most = -INFINITY;
  for (std::int64_t v = lane; v < V; v += 32) most = x[v] > most ? x[v] : most;
  most = warp_max(most);
  float sum = 0;
  for (std::int64_t v = lane; v < V; v += 32) sum += expf(x[v] - most);
  sum = warp_sum(sum);
  if (lane == 0) nll[row] = target == ignore ? 0.0f : most + logf(sum) - x[target];
}

inline void cross_entropy_forward(const Context& context, const float* logits, const std::int64_t* targets,
                                  float* nll, std::int64_t row_begin, std::int64_t row_end, std::int64_t V,
                                  std::int64_t ignore) {
  const std::int64_t rows = row_end - row_begin;
  launch(context, "cross_entropy_forward", cross_entropy_forward_kernel, blocks_for(rows, cross_entropy_warps),
         32 * cross_entropy_warps, logits + row_begin * V, targets + row_begin, nll + row_begin, rows, V, ignore);
}

inline void install(CrossEntropyKernels<float>& table) { table.forward = &cross_entropy_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
