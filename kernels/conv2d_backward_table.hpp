// The gradients of the two-dimensional convolution (conv2d_table.hpp), without scale, shift and activation:
//
//   dx[b][c][y][x]   = sum over o, u, v, i, j with i s_h + u - pad_h = y and j s_w + v - pad_w = x of
//                      w[o][c][u][v] dy[b][o][i][j]
//   dw[o][c][u][v]  += sum_{b,i,j} dy[b][o][i][j] x[b][c][i s_h + u - pad_h][j s_w + v - pad_w]
//   db[o]           += sum_{b,i,j} dy[b][o][i][j]
//
// x outside its bounds is 0. dy: [B, O, out_h, out_w]; x, dx: [B, C, H, W]; w, dw: [O, C, kernel_h,
// kernel_w]; db: [O]. The results overlap nothing else. Cost: B O out_h out_w C kernel_h kernel_w
// multiply-adds each for dx and dw. No bit depends on the range asked for.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct Conv2dBackwardArguments {
  const T* dy = nullptr;
  const T* x = nullptr;  // for dw
  const T* w = nullptr;  // for dx
  T* dx = nullptr;
  T* dw = nullptr;  // or null: not wanted
  T* db = nullptr;  // or null: not wanted
  std::int64_t B = 0, C = 0, H = 0, W = 0;
  std::int64_t O = 0, kernel_h = 0, kernel_w = 0;
  std::int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
  std::int64_t out_h = 0, out_w = 0;
};

template <class T>
struct Conv2dBackwardKernels {
  // Planes plane_begin..plane_end of dx, where plane = b C + c.
  void (*input)(const Context& context, const Conv2dBackwardArguments<T>& arguments, std::int64_t plane_begin,
                std::int64_t plane_end) = nullptr;
  // Rows o_begin..o_end of dw and elements o_begin..o_end of db.
  void (*weight)(const Context& context, const Conv2dBackwardArguments<T>& arguments, std::int64_t o_begin,
                 std::int64_t o_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
