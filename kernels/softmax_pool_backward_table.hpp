// The gradient of the softmax-weighted mean along the first axis (softmax_pool_table.hpp), with its weights
// computed anew:
//
//   p[s][n] = exp(scores[s][n] - m) / sum_s exp(scores[s][n] - m),   m = max_s scores[s][n]
//   dv[s][n] = p[s][n] dy[n],   dscores[s][n] = p[s][n] (v[s][n] - y[n]) dy[n]
//
// scores, v, dscores, dv: [S, N], S >= 1; y, dy: [N], y the mean itself. dscores and dv overlap nothing else.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct SoftmaxPoolBackwardArguments {
  const T* dy = nullptr;
  const T* scores = nullptr;
  const T* v = nullptr;
  const T* y = nullptr;
  T* dscores = nullptr;
  T* dv = nullptr;
  std::int64_t S = 0, N = 0;
};

template <class T>
struct SoftmaxPoolBackwardKernels {
  // Elements n_begin..n_end of y.
  void (*backward)(const Context& context, const SoftmaxPoolBackwardArguments<T>& arguments,
                   std::int64_t n_begin, std::int64_t n_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
