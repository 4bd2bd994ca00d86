// The gradients of layer normalisation on the device: a warp a row for the input's; for gamma's and beta's a block 32
// columns, eight warps taking turns at the rows and their sums added in order, so a run gives the same bits again.
#pragma once

#include "../layer_norm_backward_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int layer_norm_gradient_warps = 8;

__global__ void layer_norm_input_gradient_kernel(const float* __restrict__ dy, const float* __restrict__ x,
                                                 const float* __restrict__ r, const float* __restrict__ gamma,
                                                 float* __restrict__ ds, float* __restrict__ statistics,
                                                 std::int64_t rows, std::int64_t D, float eps) {
  const std::int64_t row = std::int64_t{blockIdx.x} * layer_norm_gradient_warps + threadIdx.x / 32;
  if (row >= rows) return;  // whole warps
  const int lane = threadIdx.x % 32;
  const std::int64_t at = row * D;
  const auto s = [&](std::int64_t d) { return r != nullptr ? x[at + d] + r[at + d] : x[at + d]; };
  const float width = static_cast<float>(D);
  float sum = 0;
  for (std::int64_t d = lane; d < D; d += 32) sum += s(d);
  const float mean = warp_sum(sum) / width;
  float squares = 0;
  for (std::int64_t d = lane; d < D; d += 32) squares += (s(d) - mean) * (s(d) - mean);
  const float u = 1.0f / sqrtf(warp_sum(squares) / width + eps);
  float g_sum = 0, gh_sum = 0;
  for (std::int64_t d = lane; d < D; d += 32) {
    const float g = gamma[d] * dy[at + d];
    g_sum += g;
    gh_sum += g * ((s(d) - mean) * u);
  }
  const float g_mean = warp_sum(g_sum) / width, gh_mean = warp_sum(gh_sum) / width;
  for (std::int64_t d = lane; d < D; d += 32)
    ds[at + d] = u * (gamma[d] * dy[at + d] - g_mean - (s(d) - mean) * u * gh_mean);
  if (lane == 0) statistics[2 * row] = mean, statistics[2 * row + 1] = u;
}

__global__ void layer_norm_parameter_gradient_kernel(const float* __restrict__ dy, const float* __restrict__ x,
                                                     const float* __restrict__ r,
                                                     const float* __restrict__ statistics, float* dgamma,
                                                     float* dbeta, std::int64_t rows, std::int64_t d_begin,
                                                     std::int64_t d_end, std::int64_t D) {
  __shared__ float gamma_part[layer_norm_gradient_warps][32], beta_part[layer_norm_gradient_warps][32];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const std::int64_t d = d_begin + std::int64_t{blockIdx.x} * 32 + lane;
  float gamma_sum = 0, beta_sum = 0;
  if (d < d_end)
    for (std::int64_t row = warp; row < rows; row += layer_norm_gradient_warps) {
      const std::int64_t i = row * D + d;
      const float s = r != nullptr ? x[i] + r[i] : x[i];
      gamma_sum += dy[i] * ((s - statistics[2 * row]) * statistics[2 * row + 1]);
      beta_sum += dy[i];
    }
  gamma_part[warp][lane] = gamma_sum;
  beta_part[warp][lane] = beta_sum;
  __syncthreads();
  if (warp != 0 || d >= d_end) return;
  for (int w = 1; w < layer_norm_gradient_warps; ++w) {
    gamma_sum += gamma_part[w][lane];
    beta_sum += beta_part[w][lane];
  }
  if (dgamma != nullptr) dgamma[d] += gamma_sum;
  if (dbeta != nullptr) dbeta[d] += beta_sum;
}

inline void layer_norm_input_gradient(const Context& context, const float* dy, const float* x, const float* r,
                                      const float* gamma, float* ds, float* statistics, std::int64_t row_begin,
                                      std::int64_t row_end, std::int64_t D, float eps) {
  const std::int64_t rows = row_end - row_begin, at = row_begin * D;
  launch(context, "layer_norm_input_gradient", layer_norm_input_gradient_kernel,
         blocks_for(rows, layer_norm_gradient_warps), 32 * layer_norm_gradient_warps, dy + at, x + at,
         r == nullptr ? nullptr : r + at, gamma, ds + at, statistics + 2 * row_begin, rows, D, eps);
}

inline void layer_norm_parameter_gradient(const Context& context, const float* dy, const float* x, const float* r,
                                          const float* statistics, float* dgamma, float* dbeta, std::int64_t rows,
                                          std::int64_t d_begin, std::int64_t d_end, std::int64_t D) {
  launch(context, "layer_norm_parameter_gradient", layer_norm_parameter_gradient_kernel,
         blocks_for(d_end - d_begin, 32), 32 * layer_norm_gradient_warps, dy, x, r, statistics, dgamma, dbeta, rows,
         d_begin, d_end, D);
}

inline void install(LayerNormBackwardKernels<float>& table) {
  table.input = &layer_norm_input_gradient;
  table.parameters = &layer_norm_parameter_gradient;
}

}  // namespace imu2music::inline v0::kernels::cuda
