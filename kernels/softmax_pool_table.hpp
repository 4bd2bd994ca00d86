// A softmax-weighted mean along the first axis, element by element:
//
//   y[n] = sum_s v[s][n] exp(scores[s][n] - m) / sum_s exp(scores[s][n] - m),   m = max_s scores[s][n]
//
// scores, v: [S, N], S >= 1; y: [N], overlapping neither.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct SoftmaxPoolKernels {
  // Elements n_begin..n_end of y.
  void (*forward)(const Context& context, const T* scores, const T* v, T* y, std::int64_t n_begin,
                  std::int64_t n_end, std::int64_t S, std::int64_t N) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
