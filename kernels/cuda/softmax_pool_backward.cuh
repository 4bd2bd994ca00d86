// The gradient of the softmax-weighted mean along the first axis on the device: a thread an element of y, as in the
// forward pass; the sum of its weights comes first.
//
// Reads scores (again where there are many), v, y and dy, writes dscores and dv once.
#pragma once

#include "../softmax_pool_backward_table.hpp"
#include "launch.cuh"
#include "softmax_pool.cuh"

namespace imu2music::inline v0::kernels::cuda {

template <bool Few>
__global__ void softmax_pool_backward_kernel(SoftmaxPoolBackwardArguments<float> a, std::int64_t n_begin,
                                             std::int64_t n_end) {
  const std::int64_t n = n_begin + std::int64_t{blockIdx.x} * softmax_pool_threads + threadIdx.x;
  if (n >= n_end) return;
  float sum = 0;
  for_each_weight<Few>(a.scores + n, a.S, a.N, [&](std::int64_t, float weight) { sum += weight; });
  const float y = a.y[n], dy = a.dy[n];
  for_each_weight<Few>(a.scores + n, a.S, a.N, [&](std::int64_t s, float weight) {
    const float dv = weight / sum * dy;
    a.dv[s * a.N + n] = dv;
    a.dscores[s * a.N + n] = dv * (a.v[s * a.N + n] - y);
  });
}

inline void softmax_pool_backward(const Context& context, const SoftmaxPoolBackwardArguments<float>& arguments,
                                  std::int64_t n_begin, std::int64_t n_end) {
  launch(context, "softmax_pool_backward",
         arguments.S <= softmax_pool_held ? softmax_pool_backward_kernel<true> : softmax_pool_backward_kernel<false>,
         blocks_for(n_end - n_begin, softmax_pool_threads), softmax_pool_threads, arguments, n_begin, n_end);
}

inline void install(SoftmaxPoolBackwardKernels<float>& table) { table.backward = &softmax_pool_backward; }

}  // namespace imu2music::inline v0::kernels::cuda
