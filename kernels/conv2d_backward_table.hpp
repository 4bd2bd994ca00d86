// The gradients of two-dimensional cross-correlation (conv2d_table.hpp, without scale, shift and activation):
//
//   dx[b][c][y][x]   = sum over o, u, v, i, j with i s_h + u - pad_h = y and j s_w + v - pad_w = x of
//                      w[o][c][u][v] dy[b][o][i][j]
//   dw[o][c][u][v]  += sum_{b,i,j} dy[b][o][i][j] x[b][c][i s_h + u - pad_h][j s_w + v - pad_w]
//   db[o]           += sum_{b,i,j} dy[b][o][i][j]
//
// x, dx: [B, C, H, W]; w, dw: [O, C, kernel_h, kernel_w]; dy: [B, O, out_h, out_w]; db: [O]. What is written
// overlaps nothing else. Each call computes everything in one go.
//
// A column may lack these: ops/conv2d_backward.hpp then takes them from those of the affine map over columns.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct Conv2dBackwardArguments {
  const T* dy = nullptr;
  const T* x = nullptr;
  const T* w = nullptr;
  T* dx = nullptr;
  T* dw = nullptr;
  T* db = nullptr;
  std::int64_t B = 0, C = 0, H = 0, W = 0;
  std::int64_t O = 0, kernel_h = 0, kernel_w = 0;
  std::int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
  std::int64_t out_h = 0, out_w = 0;
};

template <class T>
struct Conv2dBackwardKernels {
  void (*input)(const Context& context, const Conv2dBackwardArguments<T>& arguments) = nullptr;   // dx
  void (*weight)(const Context& context, const Conv2dBackwardArguments<T>& arguments) = nullptr;  // dw
  void (*bias)(const Context& context, const Conv2dBackwardArguments<T>& arguments) = nullptr;    // db
};

}  // namespace imu2music::inline v0::kernels
