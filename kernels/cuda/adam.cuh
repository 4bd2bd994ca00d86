// Adam on the device: a thread an element; the sum of squares: a block a stretch, in double, in a fixed order; the
// norm and the factor that clips the gradients: one block.
//
// A step reads parameter, gradient and both moments once and writes them once, the gradient as zero.
#pragma once

#include "../adam_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

__global__ void adam_step_kernel(AdamArguments<float> a, std::int64_t begin, std::int64_t end) {
  const std::int64_t i = begin + std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= end) return;
  float scale = a.gradient_scale;
  if (a.device_scale != nullptr) {
    const float factor = *a.device_scale;
    if (factor != factor) return;  // what made it so stays to be looked at
    scale *= factor;
  }
  const float w = a.weight * a.parameter[i];
  const float g = scale * a.gradient[i] + a.gradient_decay * w;
  const float m = a.first_moment[i] + a.one_minus_beta1 * (g - a.first_moment[i]);
  const float v = a.beta2 * a.second_moment[i] + a.one_minus_beta2 * g * g;
  a.first_moment[i] = m;
  a.second_moment[i] = v;
  const float stepped = w - a.step_size * m / (a.inverse_root * sqrtf(v) + a.eps);
  a.parameter[i] = stepped;
  if (a.cleared != nullptr) a.cleared[i] = 0;
  if (a.rounded != nullptr) static_cast<__nv_bfloat16*>(a.rounded)[i] = __float2bfloat16(stepped);
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

__global__ void clip_kernel(ClipArguments<float> a) {
  __shared__ double partial[8];
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < a.count; i += 256) sum += a.sums[i];
  sum = block_sum<256>(sum, partial);
  if (threadIdx.x != 0) return;
  const double norm = sqrt(sum);
  double scale = a.limit > 0 && norm > a.limit ? a.limit / norm : 1.0;
  // x - x is 0 for finite x and not a number for any other.
  scale += norm - norm;
  for (std::int64_t i = 0; i < a.losses_count; ++i) scale += a.losses[i] - a.losses[i];
  *a.norm = norm;
  *a.scale = static_cast<float>(scale);
}

inline void adam_step(const Context& context, const AdamArguments<float>& a, std::int64_t begin, std::int64_t end) {
  launch(context, "adam_step", adam_step_kernel, blocks_for(end - begin, 256), 256, a, begin, end);
}

inline void sums_of_squares(const Context& context, const float* x, double* sums, std::int64_t count,
                            std::int64_t stretch_begin, std::int64_t stretch_end) {
  launch(context, "sums_of_squares", sums_of_squares_kernel, static_cast<unsigned>(stretch_end - stretch_begin), 256,
         x, sums, count, stretch_begin);
}

inline void clip_gradients(const Context& context, const ClipArguments<float>& a) {
  launch(context, "clip_gradients", clip_kernel, 1, 256, a);
}

inline void install(AdamKernels<float>& table) {
  table.step = &adam_step;
  table.sums_of_squares = &sums_of_squares;
  table.clip = &clip_gradients;
}

}  // namespace imu2music::inline v0::kernels::cuda
