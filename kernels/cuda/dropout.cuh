// Dropout on the device, the CPU's bits: a thread a block of four elements, for which one counter gives the words.
#pragma once

#include "../dropout_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

__global__ void dropout_forward_kernel(DropoutArguments<float> a, std::int64_t begin, std::int64_t end) {
  const std::int64_t block = begin / 4 + std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (4 * block >= end) return;
  const auto counter = static_cast<std::uint64_t>(block);
  std::uint32_t c[4] = {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                        static_cast<std::uint32_t>(a.stream), static_cast<std::uint32_t>(a.stream >> 32)};
  std::uint32_t k0 = static_cast<std::uint32_t>(a.seed), k1 = static_cast<std::uint32_t>(a.seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const std::uint32_t high0 = __umulhi(0xD2511F53u, c[0]), low0 = 0xD2511F53u * c[0];
    const std::uint32_t high1 = __umulhi(0xCD9E8D57u, c[2]), low1 = 0xCD9E8D57u * c[2];
    c[0] = high1 ^ c[1] ^ k0;
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ k1;
    c[3] = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const std::int64_t n = 4 * block + i;
    if (n >= begin && n < end) a.y[n] = c[i] >= a.threshold ? a.x[n] * a.scale : 0.0f;
  }
}

inline void dropout_forward(const Context& context, const DropoutArguments<float>& a, std::int64_t begin,
                            std::int64_t end) {
  if (begin < end)
    launch(context, "dropout_forward", dropout_forward_kernel, blocks_for((end + 3) / 4 - begin / 4, 256), 256, a,
           begin, end);
}

inline void install(DropoutKernels<float>& table) { table.forward = &dropout_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
