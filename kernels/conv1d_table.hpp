// One-dimensional cross-correlation with dilation, as PyTorch's Conv1d, with zeros on the left only where the
// caller asks for them:
//
//   y[b][o][j] = activation(bias[o] + sum_{c,u} w[o][c][u] x[b][c][j stride + u dilation - pad_left])
//
// x outside its bounds is 0. x: [B, C, L]; w: [O, C, kernel]; bias: [O] or null; y: [B, O, out]. With
// pad_left = (kernel - 1) dilation the convolution is causal: y at j looks at nothing after x at j stride.
// Cost: B O out C kernel multiply-adds.
//
// A column sums over (c, u) in the same order for every j, whatever `out` is, so a frame computed by itself
// (streaming, its past given as x, pad_left = 0) has the bits that it has among others. For that, terms whose
// x is padding must leave the sum as it is; adding w 0 does for finite w.
#pragma once

#include <cstdint>

#include "activation.hpp"
#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct Conv1dArguments {
  const T* x = nullptr;
  const T* w = nullptr;
  const T* bias = nullptr;
  T* y = nullptr;
  std::int64_t C = 0, L = 0;
  std::int64_t O = 0, kernel = 0;
  std::int64_t stride = 1, dilation = 1, pad_left = 0;
  std::int64_t out = 0;
  Activation activation = Activation::none;
  T slope = 0;  // of leaky_relu
};

template <class T>
struct Conv1dKernels {
  // Planes plane_begin..plane_end of y, where plane = b O + o.
  void (*forward)(const Context& context, const Conv1dArguments<T>& arguments, std::int64_t plane_begin,
                  std::int64_t plane_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
