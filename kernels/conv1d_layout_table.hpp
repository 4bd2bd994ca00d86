// What convolutions along frames (ops/conv1d.hpp) move about before and after their products of matrices:
//
//   matrix[o][u C + c]          = w[o][c][u]                 an output's weights in the order of its inputs
//   turned[c][u O + o]          = w[o][c][kernel - 1 - u]    the weights of the gradient in the input
//   frames[b][before + i][c]    = x[b][i][c], else 0         sequences of `padded` frames
//   dx[b][i][c]                 = sum_{j, u: j stride + u dilation - pad_left = i} columns[b][j][u C + c]
//
// w: [O, C, kernel]; x, dx: [B, L, C]; frames: [B, padded, C]; columns: [B, out, kernel C]. Sums run in
// rising order of j. The results overlap nothing else.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

// Of the sums: columns → dx.
template <class T>
struct Conv1dGatherArguments {
  const T* columns = nullptr;
  T* dx = nullptr;
  std::int64_t L = 0, C = 0, out = 0, kernel = 0;
  std::int64_t stride = 1, dilation = 1, pad_left = 0;
};

template <class T>
struct Conv1dLayoutKernels {
  void (*matrix)(const Context& context, const T* w, T* matrix, std::int64_t O, std::int64_t C,
                 std::int64_t kernel) = nullptr;
  void (*turned)(const Context& context, const T* w, T* turned, std::int64_t O, std::int64_t C,
                 std::int64_t kernel) = nullptr;
  // Sequences b_begin..b_end.
  void (*pad)(const Context& context, const T* x, T* frames, std::int64_t L, std::int64_t C,
              std::int64_t before, std::int64_t padded, std::int64_t b_begin, std::int64_t b_end) = nullptr;
  void (*gather)(const Context& context, const Conv1dGatherArguments<T>& arguments, std::int64_t b_begin,
                 std::int64_t b_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
