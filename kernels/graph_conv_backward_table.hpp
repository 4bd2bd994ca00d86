// The gradient of graph convolution (graph_conv_table.hpp, without scale, shift and activation) in the
// weights:
//
//   dA[k][v][w] += sum_n sum_c sum_t x[n][k][c][t][v] dy[n][c][t][w]
//
// x: [N, K, C, T, V]; dy: [N, C, T, V]; dA: [K, V, V], overlapping neither. Cost: N C T K V^2 multiply-adds.
//
// The sum runs over stretches of graph_conv_stretch frames of one n, c and t counted together: each is summed
// by itself and then added to dA, in rising order. This keeps sums of some 10^5 terms accurate, and a stretch
// of x and dy in the first-level cache while all of dA goes by. An element's order depends on N, C and T
// alone.
//
// The gradient in x is
//
//   dx[n][k][c][t][v] = sum_w dy[n][c][t][w] A[k][v][w]
//
// A column may lack a kernel of its own for it: for each n and k it is the forward one with one group, of dy
// and of A[k] transposed.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

constexpr std::int64_t graph_conv_stretch = 128;

template <class T>
struct GraphConvBackwardArguments {
  const T* x = nullptr;
  const T* dy = nullptr;
  T* dA = nullptr;
  std::int64_t N = 0, K = 0, V = 0;
  std::int64_t frames = 0;  // C T
};

// dx: [N, K, C, T, V], overlapping nothing else.
template <class T>
struct GraphConvInputGradientArguments {
  const T* dy = nullptr;
  const T* A = nullptr;
  T* dx = nullptr;
  std::int64_t N = 0, K = 0, C = 0, frames = 0, V = 0;
};

template <class T>
struct GraphConvBackwardKernels {
  // Rows row_begin..row_end of dA, where row = k V + v.
  void (*weight)(const Context& context, const GraphConvBackwardArguments<T>& arguments,
                 std::int64_t row_begin, std::int64_t row_end) = nullptr;
  // All of dx.
  void (*input)(const Context& context, const GraphConvInputGradientArguments<T>& arguments) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
