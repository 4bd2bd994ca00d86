// The gradient of graph convolution in the weights, portable: the truth for the other columns.
#pragma once

#include <algorithm>

#include "../graph_conv_backward_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// One row of dA: x and dy point at the stretch's first frame, x at the row's node; frames lie V apart.
template <class T>
void graph_conv_weight_row(const T* x, const T* dy, T* dA, std::int64_t frames, std::int64_t V) {
  constexpr std::int64_t width = 8;
  for (std::int64_t w = 0; w < V; w += width) {
    T sums[width] = {};
    if (w + width <= V)
      for (std::int64_t t = 0; t < frames; ++t)
        for (std::int64_t i = 0; i < width; ++i) sums[i] += x[t * V] * dy[t * V + w + i];
    else
      for (std::int64_t t = 0; t < frames; ++t)
        for (std::int64_t i = 0; i < V - w; ++i) sums[i] += x[t * V] * dy[t * V + w + i];
    for (std::int64_t i = 0; i < std::min(width, V - w); ++i) dA[w + i] += sums[i];
  }
}

template <class T>
void graph_conv_backward_weight(const Context&, const GraphConvBackwardArguments<T>& a,
                                std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t n = 0; n < a.N; ++n)
    for (std::int64_t first = 0; first < a.frames; first += graph_conv_stretch) {
      const std::int64_t frames = std::min(graph_conv_stretch, a.frames - first);
      const T* dy = a.dy + (n * a.frames + first) * a.V;
      for (std::int64_t row = row_begin; row < row_end; ++row) {
        const std::int64_t k = row / a.V, v = row % a.V;
        const T* x = a.x + ((n * a.K + k) * a.frames + first) * a.V + v;
        graph_conv_weight_row(x, dy, a.dA + row * a.V, frames, a.V);
      }
    }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, GraphConvBackwardKernels<T>& table) {
  table.weight = &scalar::graph_conv_backward_weight<T>;
}

}  // namespace imu2music::inline v0::kernels
