// The gradient of the mean along the last axis (mean_table.hpp): dx[n][k] = dy[n] / K. dy: [N]; dx: [N, K],
// K >= 1, apart from dy.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct MeanBackwardKernels {
  // Rows n_begin..n_end.
  void (*backward)(const Context& context, const T* dy, T* dx, std::int64_t n_begin, std::int64_t n_end,
                   std::int64_t K) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
