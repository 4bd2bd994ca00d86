// The gradients of graph convolution on the device.
//
//   input   graph_conv.cuh, with the adjacency transposed
//   weight  dA[k] = x[k]^T dy, a product over the rows (n, c, t). Rows are cut into parts, one a block, which holds a
//           tile of dA in its threads' registers and 32 rows of x and dy in shared memory; the parts are added in
//           rising order
//
// The weight's kernel reads x once and dy K times, from the second-level cache but for the first, and writes and
// reads its parts once.
#pragma once

#include "../graph_conv_backward_table.hpp"
#include "graph_conv.cuh"
#include "launch.cuh"
#include "partial_sums.cuh"

namespace imu2music::inline v0::kernels::cuda {

inline void graph_conv_backward_input(const Context& context,
                                      const GraphConvInputGradientArguments<float>& arguments) {
  GraphConvProduct a;
  a.x = arguments.dy, a.A = arguments.A, a.y = arguments.dx;
  a.row_end = arguments.N * arguments.C * arguments.frames;
  a.K = arguments.K, a.C = arguments.C, a.frames = arguments.frames, a.V = static_cast<int>(arguments.V);
  launch_graph_conv<true>(context, "graph_conv_backward_input", a);
}

constexpr int graph_conv_weight_rows = 32;

// partial[part][k][v][w] for k = k_begin onwards; 16 by 16 threads have Side by Side elements each, 16 apart.
template <int Side>
__global__ void __launch_bounds__(256)
    graph_conv_backward_weight_kernel(GraphConvBackwardArguments<float> a, float* __restrict__ partial,
                                      std::int64_t part_rows, std::int64_t k_begin, std::int64_t k_count) {
  constexpr int tile = 16 * Side;
  __shared__ float xs[graph_conv_weight_rows][tile];
  __shared__ float dys[graph_conv_weight_rows][tile];
  const int across = static_cast<int>(threadIdx.x) % 16, down = static_cast<int>(threadIdx.x) / 16;
  const int V = static_cast<int>(a.V), tiles = (V + tile - 1) / tile;
  const int first_v = static_cast<int>(blockIdx.z) / tiles * tile,
            first_w = static_cast<int>(blockIdx.z) % tiles * tile;
  const std::int64_t part = blockIdx.x, k = k_begin + blockIdx.y;
  const std::int64_t rows = a.N * a.frames, begin = part * part_rows;
  const std::int64_t end = begin + part_rows < rows ? begin + part_rows : rows;
  float sums[Side][Side] = {};
  for (std::int64_t row = begin; row < end; row += graph_conv_weight_rows) {
    __syncthreads();  // the last rows have been read
    for (int r = down; r < graph_conv_weight_rows; r += 16) {
      const std::int64_t at = row + r, n = at / a.frames;
      const float* x = a.x + ((n * (a.K - 1) + k) * a.frames + at) * V;
      const float* dy = a.dy + at * V;
#pragma unroll
      for (int i = 0; i < Side; ++i) {
        const int v = first_v + across + 16 * i, w = first_w + across + 16 * i;
        xs[r][across + 16 * i] = at < end && v < V ? x[v] : 0.0f;
        dys[r][across + 16 * i] = at < end && w < V ? dy[w] : 0.0f;
      }
    }
    __syncthreads();
#pragma unroll 4
    for (int r = 0; r < graph_conv_weight_rows; ++r) {
      float x[Side], dy[Side];
#pragma unroll
      for (int i = 0; i < Side; ++i) x[i] = xs[r][down + 16 * i];
#pragma unroll
      for (int j = 0; j < Side; ++j) dy[j] = dys[r][across + 16 * j];
#pragma unroll
      for (int i = 0; i < Side; ++i)
#pragma unroll
        for (int j = 0; j < Side; ++j) sums[i][j] += x[i] * dy[j];
    }
  }
  float* dA = partial + (part * k_count + blockIdx.y) * V * V;
#pragma unroll
  for (int i = 0; i < Side; ++i)
#pragma unroll
    for (int j = 0; j < Side; ++j) {
      const int v = first_v + down + 16 * i, w = first_w + across + 16 * j;
      if (v < V && w < V) dA[v * V + w] = sums[i][j];
    }
}

inline void graph_conv_backward_weight(const Context& context, const GraphConvBackwardArguments<float>& a,
                                       std::int64_t row_begin, std::int64_t row_end) {
  constexpr std::int64_t least_rows = 512, most_parts = 128;
  const std::int64_t rows = a.N * a.frames;
  if (row_begin >= row_end || rows == 0) return;
  const std::int64_t k_begin = row_begin / a.V, k_count = (row_end - 1) / a.V + 1 - k_begin;
  std::int64_t part_rows = (rows + most_parts - 1) / most_parts;
  if (part_rows < least_rows) part_rows = least_rows;
  const std::int64_t parts = (rows + part_rows - 1) / part_rows, stride = k_count * a.V * a.V;
  const PartialSums partial(context, parts, stride);
  const auto run = [&](auto kernel, std::int64_t tile) {
    const unsigned tiles = blocks_for(a.V, tile);
    launch(context, "graph_conv_backward_weight", kernel,
           dim3(static_cast<unsigned>(parts), static_cast<unsigned>(k_count), tiles * tiles), 256, a, partial.data(),
           part_rows, k_begin, k_count);
  };
  if (a.V <= 32)
    run(graph_conv_backward_weight_kernel<2>, 32);
  else if (a.V <= 48)
    run(graph_conv_backward_weight_kernel<3>, 48);
  else if (a.V <= 64)
    run(graph_conv_backward_weight_kernel<4>, 64);
  else
    run(graph_conv_backward_weight_kernel<5>, 80);
  const std::int64_t skipped = (row_begin - k_begin * a.V) * a.V;
  add_partial_sums(context, partial.data() + skipped, a.dA + row_begin * a.V, parts, stride,
                   (row_end - row_begin) * a.V);
}

inline void install(GraphConvBackwardKernels<float>& table) {
  table = {&graph_conv_backward_weight, &graph_conv_backward_input};
}

}  // namespace imu2music::inline v0::kernels::cuda
