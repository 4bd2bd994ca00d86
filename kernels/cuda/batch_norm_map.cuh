// Batch normalisation as an affine map on the device: a thread a channel, in double as on the CPU.
#pragma once

#include "../batch_norm_map_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int batch_norm_map_threads = 128;

__global__ void batch_norm_map_kernel(BatchNormMapArguments<float> a, std::int64_t c_begin, std::int64_t c_end) {
  const std::int64_t c = c_begin + std::int64_t{blockIdx.x} * batch_norm_map_threads + threadIdx.x;
  if (c >= c_end) return;
  const double scale = static_cast<double>(a.gamma[c]) / sqrt(static_cast<double>(a.variance[c]) + a.eps);
  a.scale[c] = static_cast<float>(scale);
  a.shift[c] = static_cast<float>(static_cast<double>(a.beta[c]) - static_cast<double>(a.mean[c]) * scale);
}

inline void batch_norm_map(const Context& context, const BatchNormMapArguments<float>& arguments,
                           std::int64_t c_begin, std::int64_t c_end) {
  launch(context, "batch_norm_map", batch_norm_map_kernel, blocks_for(c_end - c_begin, batch_norm_map_threads),
         batch_norm_map_threads, arguments, c_begin, c_end);
}

inline void install(BatchNormMapKernels<float>& table) { table.forward = &batch_norm_map; }

}  // namespace imu2music::inline v0::kernels::cuda
