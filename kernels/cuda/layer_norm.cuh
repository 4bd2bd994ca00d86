// Layer normalisation on the device: a warp a row, the row in registers where it is short, mean and squared deviation
// in two passes over them as the scalar column has it.
//
// Reads x (and r) once from memory, writes y once.
#pragma once

#include "../layer_norm_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int layer_norm_warps = 8;  // rows a block

// A lane holds at most Held numbers of its row; longer rows are read again.
template <int Held>
__global__ void layer_norm_forward_kernel(const float* x, const float* r, const float* __restrict__ gamma,
                                          const float* __restrict__ beta, float* y, std::int64_t rows, int D,
                                          float eps) {
  const std::int64_t row = std::int64_t{blockIdx.x} * layer_norm_warps + threadIdx.x / 32;
  if (row >= rows) return;
  const int lane = threadIdx.x % 32;
  x += row * D;
  if (r != nullptr) r += row * D;
  y += row * D;
  float held[Held];
  float sum = 0;
  const auto element = [&](int d) { return r != nullptr ? x[d] + r[d] : x[d]; };
#pragma unroll
  for (int i = 0; i < Held; ++i) {
    const int d = i * 32 + lane;
    held[i] = d < D ? element(d) : 0.0f;
    sum += held[i];
  }
  for (int d = Held * 32 + lane; d < D; d += 32) sum += element(d);
  const float mean = warp_sum(sum) / static_cast<float>(D);
  float square_sum = 0;
#pragma unroll
  for (int i = 0; i < Held; ++i) {
    const float off = i * 32 + lane < D ? held[i] - mean : 0.0f;
    square_sum += off * off;
  }
  for (int d = Held * 32 + lane; d < D; d += 32) square_sum += (element(d) - mean) * (element(d) - mean);
  const float scale = 1.0f / sqrtf(warp_sum(square_sum) / static_cast<float>(D) + eps);
#pragma unroll
  for (int i = 0; i < Held; ++i) {
    const int d = i * 32 + lane;
    if (d < D) y[d] = (held[i] - mean) * scale * gamma[d] + beta[d];
  }
  for (int d = Held * 32 + lane; d < D; d += 32) y[d] = (element(d) - mean) * scale * gamma[d] + beta[d];
}

inline void layer_norm_forward(const Context& context, const float* x, const float* r, const float* gamma,
                               const float* beta, float* y, std::int64_t row_begin, std::int64_t row_end,
                               std::int64_t D, float eps) {
  const std::int64_t first = row_begin * D, rows = row_end - row_begin;
  const auto kernel = D <= 128 ? layer_norm_forward_kernel<4> : layer_norm_forward_kernel<16>;
  launch(context, "layer_norm_forward", kernel, blocks_for(rows, layer_norm_warps), 32 * layer_norm_warps, x + first,
         r == nullptr ? nullptr : r + first, gamma, beta, y + first, rows, static_cast<int>(D), eps);
}

inline void install(LayerNormKernels<float>& table) { table.forward = &layer_norm_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
