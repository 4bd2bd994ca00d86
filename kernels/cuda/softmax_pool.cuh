// A softmax-weighted mean along the first axis on the device: a thread an element of y, neighbouring threads reading
// neighbouring elements of every entry. A thread keeps its scores where there are few.
//
// Reads scores (twice where there are many) and v once, writes y once.
#pragma once

#include "../softmax_pool_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int softmax_pool_threads = 256;
constexpr int softmax_pool_held = 8;  // scores that a thread keeps

// Of scores[s * N], s < S: body(s, exp(score - their maximum)) in rising order.
template <bool Few, class Body>
__device__ __forceinline__ void for_each_weight(const float* scores, std::int64_t S, std::int64_t N, Body body) {
  float maximum = scores[0];
  if constexpr (Few) {
    float held[softmax_pool_held];
#pragma unroll
    for (int s = 0; s < softmax_pool_held; ++s) {
      held[s] = s < S ? scores[s * N] : maximum;
      maximum = held[s] > maximum ? held[s] : maximum;
    }
#pragma unroll
    for (int s = 0; s < softmax_pool_held; ++s)
      if (s < S) body(s, expf(held[s] - maximum));
  } else {
    for (std::int64_t s = 1; s < S; ++s) {
      const float score = scores[s * N];
      maximum = score > maximum ? score : maximum;
    }
    for (std::int64_t s = 0; s < S; ++s) body(s, expf(scores[s * N] - maximum));
  }
}

template <bool Few>
__global__ void softmax_pool_kernel(const float* __restrict__ scores, const float* __restrict__ v,
                                    float* __restrict__ y, std::int64_t count, std::int64_t S, std::int64_t N) {
  const std::int64_t n = std::int64_t{blockIdx.x} * softmax_pool_threads + threadIdx.x;
  if (n >= count) return;
  float sum = 0, weighted = 0;
  for_each_weight<Few>(scores + n, S, N, [&](std::int64_t s, float weight) {
    sum += weight;
    weighted += weight * v[s * N + n];
  });
  y[n] = weighted / sum;
}

inline void softmax_pool_forward(const Context& context, const float* scores, const float* v, float* y,
                                 std::int64_t n_begin, std::int64_t n_end, std::int64_t S, std::int64_t N) {
  const std::int64_t count = n_end - n_begin;
  launch(context, "softmax_pool", S <= softmax_pool_held ? softmax_pool_kernel<true> : softmax_pool_kernel<false>,
         blocks_for(count, softmax_pool_threads), softmax_pool_threads, scores + n_begin, v + n_begin, y + n_begin,
         count, S, N);
}

inline void install(SoftmaxPoolKernels<float>& table) { table.forward = &softmax_pool_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
