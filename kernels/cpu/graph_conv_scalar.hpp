// Graph convolution, portable: the truth for the other columns.
#pragma once

#include <algorithm>

#include "../graph_conv_table.hpp"
#include "activation_scalar.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

// One frame of one plane: row v of A, times x at v, is added to all nodes w, so the inner loop runs along w.
template <class T>
void graph_conv_frame(const GraphConvArguments<T>& a, std::int64_t plane, std::int64_t t) {
  const std::int64_t n = plane / a.C, c = plane % a.C;
  T* y = a.y + (plane * a.frames + t) * a.V;
  std::fill(y, y + a.V, T(0));
  for (std::int64_t k = 0; k < a.K; ++k) {
    const T* x = a.x + (((n * a.K + k) * a.C + c) * a.frames + t) * a.V;
    for (std::int64_t v = 0; v < a.V; ++v) {
      const T* row = a.A + (k * a.V + v) * a.V;
      for (std::int64_t w = 0; w < a.V; ++w) y[w] += x[v] * row[w];
    }
  }
  const T scale = a.scale != nullptr ? a.scale[c] : T(1);
  const T shift = a.scale != nullptr && a.shift != nullptr ? a.shift[c] : T(0);
  for (std::int64_t w = 0; w < a.V; ++w) y[w] = activate(y[w] * scale + shift, a.activation, a.slope);
}

template <class T>
void graph_conv_forward(const Context&, const GraphConvArguments<T>& a, std::int64_t plane_begin,
                        std::int64_t plane_end) {
  for (std::int64_t plane = plane_begin; plane < plane_end; ++plane)
    for (std::int64_t t = 0; t < a.frames; ++t) graph_conv_frame(a, plane, t);
}

}  // namespace scalar

template <class T>
void install(ScalarTag, GraphConvKernels<T>& table) {
  table.forward = &scalar::graph_conv_forward<T>;
}

}  // namespace imu2music::inline v0::kernels
