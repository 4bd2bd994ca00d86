// Graph convolution on the device, and its gradient in x: a product of rows of V numbers, one for every plane and
// frame, with matrices of the adjacency, in one launch for the whole batch.
//
//   forward   row (n, c, t) of y = sum_k x[n][k][c][t] A[k]; a block takes 64 rows through all k
//   gradient  row (n, k, c, t) of dx = dy[n][c][t] A[k]^T; a block takes 64 rows of one k
//
// A block's 8 warps have 8 rows each, lanes lie along the nodes, every lane has one, two or three of them; 32 nodes
// of the rows and of A at a time lie in shared memory. An element is one chain of multiply-adds over (k, v).
//
// Reads x once, writes y once; the gradient reads dy K times, from the second-level cache but for the first. A comes
// from the caches.
#pragma once

#include "../graph_conv_table.hpp"
#include "activation.cuh"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int graph_conv_threads = 256, graph_conv_rows = 64;

struct GraphConvProduct {
  const float* x = nullptr;  // forward: [N, K, C, frames, V], gradient: [N, C, frames, V]
  const float* A = nullptr;
  const float* scale = nullptr;
  const float* shift = nullptr;
  float* y = nullptr;  // forward: [N, C, frames, V], gradient: [N, K, C, frames, V]
  std::int64_t row_begin = 0, row_end = 0;
  std::int64_t K = 0, C = 0, frames = 0;
  int V = 0;
  Activation activation = Activation::none;
  float slope = 0;
};

template <int Columns, bool Gradient>
__global__ void __launch_bounds__(graph_conv_threads) graph_conv_kernel(GraphConvProduct a) {
  constexpr int warps = graph_conv_threads / 32, own_rows = graph_conv_rows / warps;
  alignas(16) __shared__ float x[graph_conv_rows][32];
  __shared__ float matrix[32][32 * Columns + 1];  // [node of x][node of y]
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const std::int64_t first = a.row_begin + std::int64_t{blockIdx.x} * graph_conv_rows;
  const int tiles = (a.V + 32 * Columns - 1) / (32 * Columns);
  const int first_column = static_cast<int>(blockIdx.y) % tiles * 32 * Columns;
  const std::int64_t own_k = blockIdx.y / static_cast<unsigned>(tiles);  // of the gradient
  const std::int64_t plane = a.frames * a.V, group = a.C * plane;        // what one c and one k are long

  // Rows warp, warp + 8, ...: where each begins in what is read.
  std::int64_t start[own_rows];
#pragma unroll
  for (int i = 0; i < own_rows; ++i) {
    const std::int64_t row = first + warp + i * warps, n = row / (a.C * a.frames);
    start[i] = row >= a.row_end ? -1 : (Gradient ? 0 : n * (a.K - 1) * group) + row * a.V;
  }

  float sums[own_rows][Columns] = {};
  const std::int64_t k_begin = Gradient ? own_k : 0, k_end = Gradient ? own_k + 1 : a.K;
  for (std::int64_t k = k_begin; k < k_end; ++k)
    for (int v = 0; v < a.V; v += 32) {
      __syncthreads();  // the last tile has been read
#pragma unroll
      for (int i = 0; i < own_rows; ++i)
        x[warp + i * warps][lane] =
            start[i] >= 0 && v + lane < a.V ? a.x[start[i] + (Gradient ? 0 : k * group) + v + lane] : 0.0f;
      const float* A = a.A + k * a.V * a.V;
      if constexpr (Gradient) {
        for (int w = warp; w < 32 * Columns; w += warps)
          matrix[lane][w] = first_column + w < a.V && v + lane < a.V ? A[(first_column + w) * a.V + v + lane] : 0.0f;
      } else {
        for (int n = warp; n < 32; n += warps)
#pragma unroll
          for (int j = 0; j < Columns; ++j) {
            const int w = first_column + lane + 32 * j;
            matrix[n][lane + 32 * j] = v + n < a.V && w < a.V ? A[(v + n) * a.V + w] : 0.0f;
          }
      }
      __syncthreads();
      for (int n = 0; n < 32 && v + n < a.V; n += 4) {
        float m[4][Columns];
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
          for (int j = 0; j < Columns; ++j) m[i][j] = matrix[n + i][lane + 32 * j];
#pragma unroll
        for (int i = 0; i < own_rows; ++i) {
          const float4 four = *reinterpret_cast<const float4*>(&x[warp + i * warps][n]);
#pragma unroll
          for (int j = 0; j < Columns; ++j) {
            sums[i][j] += four.x * m[0][j];
            sums[i][j] += four.y * m[1][j];
            sums[i][j] += four.z * m[2][j];
            sums[i][j] += four.w * m[3][j];
          }
        }
      }
    }

#pragma unroll
  for (int i = 0; i < own_rows; ++i) {
    const std::int64_t row = first + warp + i * warps;
    if (row >= a.row_end) continue;
    const std::int64_t n = row / (a.C * a.frames), c = row / a.frames % a.C;
    float* y = a.y + row * a.V + (Gradient ? (n * (a.K - 1) + own_k) * group : 0);
    float scale = 1, shift = 0;
    if (a.scale != nullptr) {
      scale = a.scale[c];
      if (a.shift != nullptr) shift = a.shift[c];
    }
#pragma unroll
    for (int j = 0; j < Columns; ++j) {
      const int w = first_column + lane + 32 * j;
      if (w < a.V) y[w] = activate(sums[i][j] * scale + shift, a.activation, a.slope);
    }
  }
}

template <int Columns, bool Gradient>
void launch_graph_conv_columns(const Context& context, const char* name, const GraphConvProduct& a) {
  const std::int64_t tiles = blocks_for(a.V, 32 * Columns);
  launch(context, name, graph_conv_kernel<Columns, Gradient>,
         dim3(blocks_for(a.row_end - a.row_begin, graph_conv_rows),
              static_cast<unsigned>(Gradient ? a.K * tiles : tiles)),
         graph_conv_threads, a);
}

template <bool Gradient>
void launch_graph_conv(const Context& context, const char* name, const GraphConvProduct& a) {
  if (a.V <= 32)
    launch_graph_conv_columns<1, Gradient>(context, name, a);
  else if (a.V <= 64)
    launch_graph_conv_columns<2, Gradient>(context, name, a);
  else
    launch_graph_conv_columns<3, Gradient>(context, name, a);
}

inline void graph_conv_forward(const Context& context, const GraphConvArguments<float>& arguments,
                               std::int64_t plane_begin, std::int64_t plane_end) {
  GraphConvProduct a;
  a.x = arguments.x, a.A = arguments.A, a.scale = arguments.scale, a.shift = arguments.shift, a.y = arguments.y;
  a.row_begin = plane_begin * arguments.frames, a.row_end = plane_end * arguments.frames;
  a.K = arguments.K, a.C = arguments.C, a.frames = arguments.frames, a.V = static_cast<int>(arguments.V);
  a.activation = arguments.activation, a.slope = arguments.slope;
  launch_graph_conv<false>(context, "graph_conv_forward", a);
}

inline void install(GraphConvKernels<float>& table) { table.forward = &graph_conv_forward; }

}  // namespace imu2music::inline v0::kernels::cuda
