// The affine map of every dense layer:
//
//   y[m][n] = activation(sum_k x[m][k] W[n][k] + b[n])
//
// x: [M, K] with row stride x_stride; W: [N, K] row-major, as PyTorch stores it; b: [N] or null; y: [M, N]
// with row stride y_stride. y overlaps nothing else. Cost: M N K multiply-adds.
//
// A column sums over k in an order that depends on K alone, never on M, N or the range asked for. So one row
// computed by itself (a decoding step) has the same bits as that row computed among others, and results do
// not depend on how the range is split among threads.
#pragma once

#include <cstdint>

#include "activation.hpp"
#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct LinearArguments {
  const T* x = nullptr;
  std::int64_t x_stride = 0;
  const T* W = nullptr;
  const T* b = nullptr;
  T* y = nullptr;
  std::int64_t y_stride = 0;
  std::int64_t K = 0;
  Activation activation = Activation::none;
  T slope = 0;  // of leaky_relu
};

template <class T>
struct LinearKernels {
  // Rows m_begin..m_end of y, columns n_begin..n_end.
  void (*forward)(const Context& context, const LinearArguments<T>& arguments, std::int64_t m_begin,
                  std::int64_t m_end, std::int64_t n_begin, std::int64_t n_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
