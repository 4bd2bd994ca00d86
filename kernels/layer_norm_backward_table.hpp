// The gradients of layer normalisation (layer_norm_table.hpp). With s = x + r, h = (s - mean(s)) u, u = 1 /
// sqrt(var(s) + eps) and g = gamma dy, all of one row:
//
//   ds = u (g - mean(g) - h mean(g h))     the gradient of x and of r alike
//   dgamma[d] += sum_rows dy[d] h[d],   dbeta[d] += sum_rows dy[d]
//
// x, r, dy, ds: [rows, D] row-major, r may be null, ds may be dy; gamma, dgamma, dbeta: [D]; statistics:
// [rows, 2], mean and u of every row, written by `input` and read by `parameters`. The forward pass keeps
// neither: to recompute them costs less than to keep them for every layer.
//
// The sums over rows run in the order of the rows, for every column by itself.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct LayerNormBackwardKernels {
  // Rows row_begin..row_end of ds and statistics.
  void (*input)(const Context& context, const T* dy, const T* x, const T* r, const T* gamma, T* ds,
                T* statistics, std::int64_t row_begin, std::int64_t row_end, std::int64_t D, T eps) = nullptr;
  // Elements d_begin..d_end of dgamma and dbeta, over all rows; either may be null.
  void (*parameters)(const Context& context, const T* dy, const T* x, const T* r, const T* statistics,
                     T* dgamma, T* dbeta, std::int64_t rows, std::int64_t d_begin, std::int64_t d_end,
                     std::int64_t D) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
