// The loss and its gradient on the device: a warp a row, the row read three times. dlogits may be logits. The rows'
// losses are added up by one block, in an order that depends on their number alone.
#pragma once

#include "../cross_entropy_backward_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int cross_entropy_gradient_warps = 8;

__global__ void cross_entropy_backward_kernel(CrossEntropyBackwardArguments<float> a, std::int64_t row_begin,
                                              std::int64_t row_end) {
  const std::int64_t n = row_begin + std::int64_t{blockIdx.x} * cross_entropy_gradient_warps + threadIdx.x / 32;
  if (n >= row_end) return;  // whole warps
  const int lane = threadIdx.x % 32;
  const float* row = a.logits + n * a.V;
  float* gradient = a.dlogits != nullptr ? a.dlogits + n * a.V : nullptr;
  const std::int64_t target = a.targets[n];
  if (target == a.ignore) {
    if (lane == 0) a.sums[2 * n] = a.sums[2 * n + 1] = 0;
    if (gradient != nullptr)
      for (std::int64_t v = lane; v < a.V; v += 32) gradient[v] = 0;
    return;
  }
  float maximum = -INFINITY;
  for (std::int64_t v = lane; v < a.V; v += 32) maximum = row[v] > maximum ? row[v] : maximum;
  maximum = warp_max(maximum);
  float sum = 0, below = 0;
  for (std::int64_t v = lane; v < a.V; v += 32) {
    sum += expf(row[v] - maximum);
    below += maximum - row[v];
  }
  sum = warp_sum(sum);
  below = warp_sum(below);
  const float log_sum = logf(sum), nll = log_sum + (maximum - row[target]);
  if (lane == 0) {
    a.sums[2 * n] = nll;
    a.sums[2 * n + 1] = a.smoothing == 0 ? nll
                                         : (1 - a.smoothing) * nll +
                                               a.smoothing * (log_sum + below / static_cast<float>(a.V));
  }
  if (gradient == nullptr) return;
  __syncwarp();  // row[target] has been read by all: gradient may be the same memory
  const float p_scale = a.scale / sum, q = a.scale * (a.smoothing / static_cast<float>(a.V));
  for (std::int64_t v = lane; v < a.V; v += 32) {
    float g = p_scale * expf(row[v] - maximum) - q;
    if (v == target) g -= a.scale * (1 - a.smoothing);
    gradient[v] = g;
  }
}

inline void cross_entropy_backward(const Context& context, const CrossEntropyBackwardArguments<float>& a,
                                   std::int64_t row_begin, std::int64_t row_end) {
  launch(context, "cross_entropy_backward", cross_entropy_backward_kernel,
         blocks_for(row_end - row_begin, cross_entropy_gradient_warps), 32 * cross_entropy_gradient_warps, a,
         row_begin, row_end);
}

__global__ void cross_entropy_add_up_kernel(const double* __restrict__ sums, std::int64_t rows, double* totals) {
  __shared__ double partial[16];
  double nll = 0, loss = 0;
  for (std::int64_t n = threadIdx.x; n < rows; n += 512) {
    nll += sums[2 * n];
    loss += sums[2 * n + 1];
  }
  nll = block_sum<512>(nll, partial);
  loss = block_sum<512>(loss, partial);
  if (threadIdx.x != 0) return;
  totals[0] += nll;
  totals[1] += loss;
}

inline void cross_entropy_add_up(const Context& context, const double* sums, std::int64_t rows, double* totals) {
  launch(context, "cross_entropy_add_up", cross_entropy_add_up_kernel, 1, 512, sums, rows, totals);
}

inline void install(CrossEntropyBackwardKernels<float>& table) {
  table.backward = &cross_entropy_backward;
  table.add_up = &cross_entropy_add_up;
}

}  // namespace imu2music::inline v0::kernels::cuda
