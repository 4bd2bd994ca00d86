// Batch normalisation in training mode, by channel: the statistics of a batch, and the gradients (Ioffe and
// Szegedy 2015, arXiv:1502.03167, algorithm 1 and section 3). With n = B P:
//
//   mean[c] = sum x[b][c][i] / n,   variance[c] = sum (x[b][c][i] - mean[c])^2 / n
//   z = (x - mean) r,   r = 1 / sqrt(variance + eps),   y = gamma z + beta
//   dbeta += sum dy,   dgamma += sum dy z
//   dx = gamma r (dy - sum dy / n - z sum dy z / n)
//
// x, dy, dx: [B, C, P], P = all inner axes together, a plane, n >= 1; the rest: [C]; dgamma and dbeta may be
// null; dx may be dy. Sums over a channel are kept in double.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct BatchNormBackwardArguments {
  const T* dy = nullptr;
  const T* x = nullptr;
  const T* mean = nullptr;
  const T* variance = nullptr;
  const T* gamma = nullptr;
  T* dx = nullptr;
  T* dgamma = nullptr;
  T* dbeta = nullptr;
  std::int64_t B = 0, C = 0, P = 0;
  double eps = 0;
};

template <class T>
struct BatchNormBackwardKernels {
  // Channels c_begin..c_end.
  void (*statistics)(const Context& context, const T* x, T* mean, T* variance, std::int64_t c_begin,
                     std::int64_t c_end, std::int64_t B, std::int64_t C, std::int64_t P) = nullptr;
  void (*backward)(const Context& context, const BatchNormBackwardArguments<T>& arguments,
                   std::int64_t c_begin, std::int64_t c_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
