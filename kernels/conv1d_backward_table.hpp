// The gradients of the one-dimensional convolution y[j] = sum_{c,u} w[o][c][u] x[c][j stride + u dilation -
// pad_left] (conv1d_table.hpp), without its activation:
//
//   dx[b][c][i]   = sum_{o,u,j: j stride + u dilation - pad_left = i} w[o][c][u] dy[b][o][j]
//   dw[o][c][u]  += sum_{b,j} dy[b][o][j] x[b][c][j stride + u dilation - pad_left]
//   db[o]        += sum_{b,j} dy[b][o][j]
//
// x outside its bounds is 0. dy: [B, O, out]; x, dx: [B, C, L]; w, dw: [O, C, kernel]; db: [O]. The results
// overlap nothing else. Cost: B O out C kernel multiply-adds each for dx and dw. No bit depends on the range
// asked for.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct Conv1dBackwardArguments {
  const T* dy = nullptr;
  const T* x = nullptr;  // for dw
  const T* w = nullptr;  // for dx
  T* dx = nullptr;
  T* dw = nullptr;  // or null: not wanted
  T* db = nullptr;  // or null: not wanted
  std::int64_t B = 0, C = 0, L = 0;
  std::int64_t O = 0, kernel = 0;
  std::int64_t stride = 1, dilation = 1, pad_left = 0;
  std::int64_t out = 0;
};

template <class T>
struct Conv1dBackwardKernels {
  // Planes plane_begin..plane_end of dx, where plane = b C + c.
  void (*input)(const Context& context, const Conv1dBackwardArguments<T>& arguments, std::int64_t plane_begin,
                std::int64_t plane_end) = nullptr;
  // Rows o_begin..o_end of dw and elements o_begin..o_end of db.
  void (*weight)(const Context& context, const Conv1dBackwardArguments<T>& arguments, std::int64_t o_begin,
                 std::int64_t o_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
