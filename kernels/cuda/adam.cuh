// Adam on the device: a thread an element; the sum of squares: a block a stretch, in double, in a fixed order.
#pragma once

#include "../adam_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

__global__ void adam_step_kernel(AdamArguments<float> a, std::int64_t begin, std::int64_t end) {
  const std::int64_t i = begin + std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= end) return;
  const float w = a.weight * a.parameter[i];
  const float g = a.gradient_scale * a.gradient[i] + a.gradient_decay * w;
  const float m = a.first_moment[i] + a.one_minus_beta1 * (g - a.first_moment[i]);
  const float v = a.beta2 * a.second_moment[i] + a.one_minus_beta2 * g * g;
  a.first_moment[i] = m;
  a.second_moment[i] = v;
  a.parameter[i] = w - a.step_size * m / (a.inverse_root * sqrtf(v) + a.eps);
}

__global__ void sums_of_squares_kernel(const float* __restrict__ x, double* __restrict__ sums, std::int64_t count,
                                       std::int64_t stretch_begin) {
  __shared__ double partial[8];
  const std::int64_t stretch = stretch_begin + blockIdx.x, begin = stretch * square_stretch;
  const std::int64_t end = begin + square_stretch < count ? begin + square_stretch : count;
  double sum = 0;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += 256) sum += static_cast<double>(x[i]) * x[i];
  sum = block_sum<256>(sum, partial);
  if (threadIdx.x == 0) sums[stretch] = sum;
}

inline void adam_step(const Context& context, const AdamArguments<float>& a, std::int64_t begin, std::int64_t end) {
  launch(context, "adam_step", adam_step_kernel, blocks_for(end - begin, 256), 256, a, begin, end);
}

inline void sums_of_squares(const Context& context, const float* x, double* sums, std::int64_t count,
                            std::int64_t stretch_begin, std::int64_t stretch_end) {
  launch(context, "sums_of_squares", sums_of_squares_kernel, static_cast<unsigned>(stretch_end - stretch_begin), 256,
         x, sums, count, stretch_begin);
}

inline void install(AdamKernels<float>& table) {
  table.step = &adam_step;
  table.sums_of_squares = &sums_of_squares;
}

}  // namespace imu2music::inline v0::kernels::cuda
