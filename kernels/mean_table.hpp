// The mean along the last axis: y[n] = (1 / K) sum_k x[n][k]. x: [N, K], K >= 1; y: [N].
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct MeanKernels {
  // Rows n_begin..n_end.
  void (*forward)(const Context& context, const T* x, T* y, std::int64_t n_begin, std::int64_t n_end,
                  std::int64_t K) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
