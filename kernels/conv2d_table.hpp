// Two-dimensional cross-correlation, as PyTorch's Conv2d:
//
//   y[b][o][i][j] = bias[o] + sum_{c,u,v} w[o][c][u][v] x[b][c][i s_h + u - pad_h][j s_w + v - pad_w]
//
// then y = activation(y * scale[o] + shift[o]) where scale is given, else y = activation(y).
//
// x outside its bounds is 0. x: [B, C, H, W]; w: [O, C, kernel_h, kernel_w]; bias, scale, shift: [O] or null;
// y: [B, O, out_h, out_w], out = (in + 2 pad - kernel) / stride + 1. scale and shift carry a batch norm in
// evaluation mode: scale = gamma / sqrt(var + eps), shift = beta - mean scale. s: strides. All row-major and
// dense, H W below 2^31. Cost: B O out_h out_w C kernel_h kernel_w multiply-adds.
//
// An output adds its products in an order that the range of planes does not touch.
#pragma once

#include <cstdint>

#include "activation.hpp"
#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct Conv2dArguments {
  const T* x = nullptr;
  const T* w = nullptr;
  const T* bias = nullptr;
  const T* scale = nullptr;
  const T* shift = nullptr;
  T* y = nullptr;
  std::int64_t C = 0, H = 0, W = 0;
  std::int64_t O = 0, kernel_h = 0, kernel_w = 0;
  std::int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
  std::int64_t out_h = 0, out_w = 0;
  Activation activation = Activation::none;
  T slope = 0;  // of leaky_relu
};

template <class T>
struct Conv2dKernels {
  // Planes plane_begin..plane_end of y, where plane = b O + o.
  void (*forward)(const Context& context, const Conv2dArguments<T>& arguments, std::int64_t plane_begin,
                  std::int64_t plane_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
