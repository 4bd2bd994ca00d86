// The gradient of an embedding's table on the device. A block a row of dy: the first row of an id adds up all of that
// id in rising order, the others have nothing to do; so no two blocks write one place and a run gives the same bits
// again.
#pragma once

#include "../embedding_backward_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int embedding_gradient_threads = 128;

__global__ void embedding_backward_kernel(const float* __restrict__ dy, const std::int64_t* __restrict__ ids,
                                          float* dtable, std::int64_t rows, std::int64_t d_begin,
                                          std::int64_t d_end, std::int64_t D) {
  constexpr int threads = embedding_gradient_threads;
  __shared__ int same[threads];
  const std::int64_t n = blockIdx.x, id = ids[n];
  int earlier = 0;
  for (std::int64_t m = threadIdx.x; m < n; m += threads) earlier |= ids[m] == id;
  if (__syncthreads_or(earlier)) return;
  for (std::int64_t d0 = d_begin; d0 < d_end; d0 += threads) {
    const std::int64_t d = d0 + threadIdx.x;
    float sum = d < d_end ? dtable[id * D + d] : 0.0f;
    for (std::int64_t m0 = n; m0 < rows; m0 += threads) {
      const std::int64_t mine = m0 + threadIdx.x;
      same[threadIdx.x] = mine < rows && ids[mine] == id;
      __syncthreads();
      for (int t = 0; t < threads; ++t)
        if (same[t] && d < d_end) sum += dy[(m0 + t) * D + d];
      __syncthreads();
    }
    if (d < d_end) dtable[id * D + d] = sum;
  }
}

inline void embedding_backward(const Context& context, const float* dy, const std::int64_t* ids, float* dtable,
                               std::int64_t rows, std::int64_t d_begin, std::int64_t d_end, std::int64_t D) {
  launch(context, "embedding_backward", embedding_backward_kernel, static_cast<unsigned>(rows),
         embedding_gradient_threads, dy, ids, dtable, rows, d_begin, d_end, D);
}

inline void install(EmbeddingBackwardKernels<float>& table) { table.backward = &embedding_backward; }

}  // namespace imu2music::inline v0::kernels::cuda
