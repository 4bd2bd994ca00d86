// Token embedding plus position on the device: a thread an element, neighbours along a row.
#pragma once

#include "../embedding_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

__global__ void embedding_forward_kernel(const std::int64_t* __restrict__ ids, const float* __restrict__ table,
                                         const float* __restrict__ positions, std::int64_t first_position,
                                         float* __restrict__ y, std::int64_t row_begin, std::int64_t count,
                                         std::int64_t length, std::int64_t D) {
  const std::int64_t e = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (e >= count) return;
  const std::int64_t n = row_begin + e / D, d = e % D;
  const float value = table[ids[n] * D + d];
  y[n * D + d] = positions == nullptr ? value : value + positions[(first_position + n % length) * D + d];
}

inline void embedding_forward(const Context& context, const std::int64_t* ids, const float* table,
                              const float* positions, std::int64_t first_position, float* y, std::int64_t row_begin,
                              std::int64_t row_end, std::int64_t length, std::int64_t D) {
  const std::int64_t count = (row_end - row_begin) * D;
  launch(context, "embedding_forward", embedding_forward_kernel, blocks_for(count, 256), 256, ids, table, positions,
         first_position, y, row_begin, count, length, D);
}

inline void install(EmbeddingKernels<float>& table) { table.forward = &embedding_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
