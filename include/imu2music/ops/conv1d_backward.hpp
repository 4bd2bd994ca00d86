// The gradients of conv1d() without its activation (ops/activation_backward.hpp):
//
//   dx[b][c][i]   = sum_{o,u,j: j stride + u dilation - pad_left = i} w[o][c][u] dy[b][o][j]
//   dw[o][c][u]  += sum_{b,j} dy[b][o][j] x[b][c][j stride + u dilation - pad_left]
//   db[o]        += sum_{b,j} dy[b][o][j]
//
// A convolution is the affine map of its columns, the inputs that each output looks at, so both gradients are
// those of ops/linear_backward.hpp, whose kernels do the work; the columns take kernel times the memory of x.
//
// x, dx: [B, C, L]; w, dw: [O, C, kernel]; dy: [B, O, out]; db: [O]. Of the options, stride, dilation and
// padding count. Throws ShapeError. No bit depends on the number of threads.
#pragma once

#include <algorithm>

#include "imu2music/ops/conv1d.hpp"
#include "imu2music/ops/linear_backward.hpp"
#include "imu2music/ops/permute.hpp"

namespace imu2music::inline v0 {

namespace detail {

inline void require_conv1d_gradient(const char* operation, const Shape& dy, const Shape& x, const Shape& w,
                                    const Conv1dOptions& options) {
  const auto fits = [&] {
    if (dy.rank() != 3 || x.rank() != 3 || w.rank() != 3 || dy[0] != x[0] || dy[1] != w[0] || x[1] != w[1] ||
        options.stride < 1 || options.dilation < 1 || options.pad_left < 0)
      return false;
    const std::int64_t room = x[2] + options.pad_left - (w[2] - 1) * options.dilation - 1;
    return room >= 0 && dy[2] == room / options.stride + 1;
  };
  require(fits(), operation, [&] {
    return "gradient " + dy.to_string() + " is not that of input " + x.to_string() + " and weight " +
           w.to_string();
  });
}

// x: [B, C, L] → [B out, kernel C], row b out + j: the inputs of output j, weight after weight, 0 where they
// are padding.
template <class T>
Tensor<T> conv1d_columns(Context& context, const Tensor<T>& x, std::int64_t kernel, std::int64_t out,
                         const Conv1dOptions& options) {
  const std::int64_t B = x.dim(0), C = x.dim(1), L = x.dim(2);
  const Tensor<T> frames = permute(context, x, {0, 2, 1});
  Tensor<T> columns = context.allocate<T>({B * out, kernel * C});
  parallel_for(context.threads(), B * out, grain_for(kernel * C), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t u = 0; u < kernel; ++u) {
        const std::int64_t i = row % out * options.stride + u * options.dilation - options.pad_left;
        T* column = columns.data() + (row * kernel + u) * C;
        if (i < 0 || i >= L)
          std::fill_n(column, C, T(0));
        else
          std::copy_n(frames.data() + (row / out * L + i) * C, C, column);
      }
  });
  return columns;
}

}  // namespace detail

// dx.
template <class T>
Tensor<T> conv1d_backward_input(Context& context, const Tensor<T>& dy, const Tensor<T>& w, std::int64_t L,
                                const Conv1dOptions& options) {
  const Shape x{dy.rank() == 3 ? dy.dim(0) : 0, w.rank() == 3 ? w.dim(1) : 0, L};
  detail::require_conv1d_gradient("conv1d_backward_input", dy.shape(), x, w.shape(), options);
  const std::int64_t B = x[0], C = x[1], O = w.dim(0), kernel = w.dim(2), out = dy.dim(2);
  const Tensor<T> weight = permute(context, w, {0, 2, 1}).reshape({O, kernel * C});
  const Tensor<T> gradient = permute(context, dy, {0, 2, 1}).reshape({B * out, O});
  const Tensor<T> columns = linear_backward_input(context, gradient, weight);
  Tensor<T> frames = context.allocate<T>({B, L, C});
  parallel_for(context.threads(), B, detail::grain_for(out * kernel * C),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t b = begin; b < end; ++b) {
                   std::fill_n(frames.data() + b * L * C, L * C, T(0));
                   for (std::int64_t j = 0; j < out; ++j)
                     for (std::int64_t u = 0; u < kernel; ++u) {
                       const std::int64_t i = j * options.stride + u * options.dilation - options.pad_left;
                       if (i < 0 || i >= L) continue;
                       const T* column = columns.data() + ((b * out + j) * kernel + u) * C;
                       T* frame = frames.data() + (b * L + i) * C;
                       for (std::int64_t c = 0; c < C; ++c) frame[c] += column[c];
                     }
                 }
               });
  return permute(context, frames, {0, 2, 1});
}

// Adds to dw and db; one that is undefined is left out, and x may be undefined where dw is.
template <class T>
void conv1d_backward_weight(Context& context, const Tensor<T>& dy, const Tensor<T>& x,
                            const Conv1dOptions& options, Tensor<T>& dw, Tensor<T>& db) {
  if (!dw.defined() && !db.defined()) return;
  detail::require(dy.rank() == 3, "conv1d_backward_weight",
                  [&] { return "gradient " + dy.shape().to_string() + " must have three axes"; });
  if (dw.defined())
    detail::require_conv1d_gradient("conv1d_backward_weight", dy.shape(), x.shape(), dw.shape(), options);
  const std::int64_t B = dy.dim(0), O = dy.dim(1), out = dy.dim(2);
  detail::require(!db.defined() || db.shape() == Shape{O}, "conv1d_backward_weight", [&] {
    return "bias " + db.shape().to_string() + " does not fit gradient " + dy.shape().to_string();
  });
  const Tensor<T> gradient = permute(context, dy, {0, 2, 1}).reshape({B * out, O});
  Tensor<T> columns, sum;
  if (dw.defined()) {
    columns = detail::conv1d_columns(context, x, dw.dim(2), out, options);
    sum = context.allocate<T>({O, dw.dim(2) * dw.dim(1)});
    std::fill_n(sum.data(), sum.size(), T(0));
  }
  linear_backward_weight(context, gradient, columns, sum, db);
  if (!dw.defined()) return;
  const Tensor<T> turned = permute(context, sum.reshape({O, dw.dim(2), dw.dim(1)}), {0, 2, 1});
  for (std::int64_t n = 0; n < dw.size(); ++n) dw[n] += turned[n];
}

}  // namespace imu2music::inline v0
