// Batch normalisation in training on the device: a block a channel, its sums in double and in a fixed order; x is read
// twice for the statistics, x and dy twice for the gradients.
#pragma once

#include "../batch_norm_backward_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int batch_norm_threads = 256;

__global__ void batch_norm_statistics_kernel(const float* __restrict__ x, float* __restrict__ mean,
                                             float* __restrict__ variance, std::int64_t c_begin, std::int64_t B,
                                             std::int64_t C, std::int64_t P) {
  __shared__ double partial[batch_norm_threads / 32];
  const std::int64_t c = c_begin + blockIdx.x, count = B * P;
  const double n = static_cast<double>(count);
  const auto element = [&](std::int64_t e) { return x[(e / P * C + c) * P + e % P]; };
  double sum = 0, squares = 0, rest = 0;
  for (std::int64_t e = threadIdx.x; e < count; e += batch_norm_threads) sum += static_cast<double>(element(e));
  const float center = static_cast<float>(block_sum<batch_norm_threads>(sum, partial) / n);
  for (std::int64_t e = threadIdx.x; e < count; e += batch_norm_threads) {
    const double d = static_cast<double>(element(e) - center);
    squares += d * d;
    rest += d;
  }
  squares = block_sum<batch_norm_threads>(squares, partial);
  rest = block_sum<batch_norm_threads>(rest, partial);
  if (threadIdx.x != 0) return;
  mean[c] = center;
  variance[c] = static_cast<float>(squares / n - (rest / n) * (rest / n));
}

__global__ void batch_norm_backward_kernel(BatchNormBackwardArguments<float> a, std::int64_t c_begin) {
  __shared__ double partial[batch_norm_threads / 32];
  const std::int64_t c = c_begin + blockIdx.x, count = a.B * a.P;
  const double n = static_cast<double>(count);
  const float mean = a.mean[c];
  const double r = 1 / sqrt(static_cast<double>(a.variance[c]) + a.eps);
  const auto place = [&](std::int64_t e) { return (e / a.P * a.C + c) * a.P + e % a.P; };
  double sum = 0, products = 0;  // of dy, and of dy (x - mean)
  for (std::int64_t e = threadIdx.x; e < count; e += batch_norm_threads) {
    const std::int64_t i = place(e);
    sum += static_cast<double>(a.dy[i]);
    products += static_cast<double>(a.dy[i] * (a.x[i] - mean));
  }
  sum = block_sum<batch_norm_threads>(sum, partial);
  products = block_sum<batch_norm_threads>(products, partial);
  if (threadIdx.x == 0) {
    if (a.dgamma != nullptr) a.dgamma[c] += static_cast<float>(products * r);
    if (a.dbeta != nullptr) a.dbeta[c] += static_cast<float>(sum);
  }
  // dx = scale dy + slope (x - mean) + shift
  const double gamma_r = static_cast<double>(a.gamma[c]) * r;
  const float scale = static_cast<float>(gamma_r), slope = static_cast<float>(-gamma_r * r * r * products / n);
  const float shift = static_cast<float>(-gamma_r * sum / n);
  for (std::int64_t e = threadIdx.x; e < count; e += batch_norm_threads) {
    const std::int64_t i = place(e);
    a.dx[i] = scale * a.dy[i] + (slope * (a.x[i] - mean) + shift);
  }
}

inline void batch_norm_statistics(const Context& context, const float* x, float* mean, float* variance,
                                  std::int64_t c_begin, std::int64_t c_end, std::int64_t B, std::int64_t C,
                                  std::int64_t P) {
  launch(context, "batch_norm_statistics", batch_norm_statistics_kernel, static_cast<unsigned>(c_end - c_begin),
         batch_norm_threads, x, mean, variance, c_begin, B, C, P);
}

inline void batch_norm_backward(const Context& context, const BatchNormBackwardArguments<float>& a,
                                std::int64_t c_begin, std::int64_t c_end) {
  launch(context, "batch_norm_backward", batch_norm_backward_kernel, static_cast<unsigned>(c_end - c_begin),
         batch_norm_threads, a, c_begin);
}

inline void install(BatchNormBackwardKernels<float>& table) {
  table.statistics = &batch_norm_statistics;
  table.backward = &batch_norm_backward;
}

}  // namespace imu2music::inline v0::kernels::cuda
