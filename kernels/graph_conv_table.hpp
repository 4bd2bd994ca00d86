// Graph convolution over the nodes of a skeleton (Yan, Xiong, Lin 2018, arXiv:1801.07455, eq. 10), after the
// 1x1 convolution that made K times C channels, followed by a batch norm in evaluation mode:
//
//   y[n][c][t][w] = activation(scale[c] sum_k sum_v x[n][k][c][t][v] A[k][v][w] + shift[c])
//
// x: [N, K, C, T, V]; A: [K, V, V]; scale, shift: [C] or null; y: [N, C, T, V], no part of x. Cost: N C T K
// V^2 multiply-adds. Terms with A = 0 are added like the others.
#pragma once

#include <cstdint>

#include "activation.hpp"
#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct GraphConvArguments {
  const T* x = nullptr;
  const T* A = nullptr;
  const T* scale = nullptr;
  const T* shift = nullptr;
  T* y = nullptr;
  std::int64_t K = 0, C = 0, frames = 0, V = 0;
  Activation activation = Activation::none;
  T slope = 0;  // of leaky_relu
};

template <class T>
struct GraphConvKernels {
  // Planes plane_begin..plane_end of y, where plane = n C + c.
  void (*forward)(const Context& context, const GraphConvArguments<T>& arguments, std::int64_t plane_begin,
                  std::int64_t plane_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
