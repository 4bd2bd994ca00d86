// The gradients of conv1d() without its activation (ops/activation_backward.hpp):
//
//   dx[b][i][c]   = sum_{o,u,j: j stride + u dilation - pad_left = i} w[o][c][u] dy[b][j][o]
//   dw[o][c][u]  += sum_{b,j} dy[b][j][o] x[b][j stride + u dilation - pad_left][c]
//   db[o]        += sum_{b,j} dy[b][j][o]
//
// With stride 1, dx is a convolution of dy with the weights turned round; otherwise the gradient of the
// columns, kernel times the memory of x, is gathered. dw is a product of matrices for each u, read from x
// where it lies.
//
// x, dx: [B, L, C]; w, dw: [O, C, kernel]; dy: [B, out, O]; db: [O]. Of the options, stride, dilation and
// padding count. Throws ShapeError. No bit depends on the number of threads.
#pragma once

#include <algorithm>

#include "imu2music/ops/conv1d.hpp"
#include "imu2music/ops/linear_backward.hpp"

namespace imu2music::inline v0 {

namespace detail {

inline void require_conv1d_gradient(const char* operation, const Shape& dy, const Shape& x, const Shape& w,
                                    const Conv1dOptions& options) {
  const auto fits = [&] {
    if (dy.rank() != 3 || x.rank() != 3 || w.rank() != 3 || dy[0] != x[0] || dy[2] != w[0] || x[2] != w[1] ||
        options.stride < 1 || options.dilation < 1 || options.pad_left < 0 ||
        !conv1d_fits_numbers(w[2], options))
      return false;
    const std::int64_t room = x[1] + options.pad_left - (w[2] - 1) * options.dilation - 1;
    return room >= 0 && dy[1] == room / options.stride + 1;
  };
  require(fits(), operation, [&] {
    return "gradient " + dy.to_string() + " is not that of input " + x.to_string() + " and weight " +
           w.to_string();
  });
}

// dx with stride 1 and no more padding than a causal convolution has.
template <class T>
Tensor<T> conv1d_turned(Context& context, const Tensor<T>& dy, const Tensor<T>& w, std::int64_t L,
                        const Conv1dOptions& options) {
  const std::int64_t C = w.dim(1), O = w.dim(0), kernel = w.dim(2), out = dy.dim(1);
  Tensor<T> turned = context.allocate<T>({C, kernel * O});
  context.table<kernels::Conv1dLayoutKernels<T>>().turned(context.kernel(), w.data(), turned.data(), O, C,
                                                          kernel);
  const std::int64_t reach = (kernel - 1) * options.dilation, before = reach - options.pad_left;
  const Tensor<T> gradient = pad_frames(context, dy, before, L + reach - before - out);
  return conv1d_padded(context, gradient, pack_once(context, turned), Tensor<T>(), L,
                       {.stride = 1, .dilation = options.dilation});
}

}  // namespace detail

// dx.
template <class T>
Tensor<T> conv1d_backward_input(Context& context, const Tensor<T>& dy, const Tensor<T>& w, std::int64_t L,
                                const Conv1dOptions& options) {
  const Shape x{dy.rank() == 3 ? dy.dim(0) : 0, L, w.rank() == 3 ? w.dim(1) : 0};
  detail::require_conv1d_gradient("conv1d_backward_input", dy.shape(), x, w.shape(), options);
  const std::int64_t B = x[0], C = x[2], O = w.dim(0), kernel = w.dim(2), out = dy.dim(1);
  if (options.stride == 1 && options.pad_left <= (kernel - 1) * options.dilation)
    return detail::conv1d_turned(context, dy, w, L, options);
  const Tensor<T> columns =
      linear_backward_input(context, dy.reshape({B * out, O}), detail::conv1d_matrix(context, w));
  Tensor<T> dx = context.allocate<T>(x);
  kernels::Conv1dGatherArguments<T> arguments;
  arguments.columns = columns.data();
  arguments.dx = dx.data();
  arguments.L = L;
  arguments.C = C;
  arguments.out = out;
  arguments.kernel = kernel;
  arguments.stride = options.stride;
  arguments.dilation = options.dilation;
  arguments.pad_left = options.pad_left;
  const auto& table = context.table<kernels::Conv1dLayoutKernels<T>>();
  parallel_for(
      context.threads(), B, detail::grain_for(out * kernel * C),
      [&](std::int64_t begin, std::int64_t end) { table.gather(context.kernel(), arguments, begin, end); });
  return dx;
}

// Adds to dw and db; one that is undefined is left out, and x may be undefined where dw is.
template <class T>
void conv1d_backward_weight(Context& context, const Tensor<T>& dy, const Tensor<T>& x,
                            const Conv1dOptions& options, Tensor<T>& dw, Tensor<T>& db) {
  if (!dw.defined() && !db.defined()) return;
  detail::require(dy.rank() == 3, "conv1d_backward_weight",
                  [&] { return "gradient " + dy.shape().to_string() + " must have three axes"; });
  const std::int64_t B = dy.dim(0), out = dy.dim(1), O = dy.dim(2);
  detail::require(!db.defined() || db.shape() == Shape{O}, "conv1d_backward_weight", [&] {
    return "bias " + db.shape().to_string() + " does not fit gradient " + dy.shape().to_string();
  });
  if (!dw.defined()) {
    Tensor<T> none;
    linear_backward_weight(context, dy.reshape({B * out, O}), Tensor<T>(), none, db);
    return;
  }
  detail::require_conv1d_gradient("conv1d_backward_weight", dy.shape(), x.shape(), dw.shape(), options);
  const std::int64_t C = x.dim(2), kernel = dw.dim(2);
  const Tensor<T> frames = detail::pad_frames(context, x, options.pad_left, 0);
  const auto& table = context.table<kernels::LinearBackwardKernels<T>>();
  if (table.sequences) {
    kernels::LinearWeightGradientArguments<T> a;
    a.dy = dy.data();
    a.dy_stride = O;
    a.x = frames.data();
    a.x_stride = options.stride * C;
    a.segment = C;
    a.segment_step = options.dilation * C;
    a.sequence = out;
    a.sequence_step = frames.dim(1) * C;
    a.taps = kernel;
    a.dW = dw.data();
    a.db = db.defined() ? db.data() : nullptr;
    a.M = B * out;
    a.K = kernel * C;
    table.weight(context.kernel(), a, 0, O);
    return;
  }
  Tensor<T> sum = context.allocate<T>({kernel, O, C});
  // Rows of all the kernel's matrices together; those of one matrix start where the kernels' blocks do.
  parallel_for(context.threads(), kernel * O, detail::grain_for(B * out * C),
               [&](std::int64_t begin, std::int64_t end) {
                 std::fill_n(sum.data() + begin * C, (end - begin) * C, T(0));
                 while (begin < end) {
                   const std::int64_t u = begin / O, last = std::min(end, (u + 1) * O);
                   kernels::LinearWeightGradientArguments<T> a;
                   a.dy_stride = O;
                   a.x_stride = options.stride * C;
                   a.dW = sum.data() + u * O * C;
                   a.M = out;
                   a.K = C;
                   for (std::int64_t b = 0; b < B; ++b) {
                     a.dy = dy.data() + b * out * O;
                     a.x = frames.data() + (b * frames.dim(1) + u * options.dilation) * C;
                     a.db = u == 0 && db.defined() ? db.data() : nullptr;
                     table.weight(context.kernel(), a, begin - u * O, last - u * O);
                   }
                   begin = last;
                 }
               });
  for (std::int64_t o = 0; o < O; ++o)
    for (std::int64_t c = 0; c < C; ++c)
      for (std::int64_t u = 0; u < kernel; ++u) dw[(o * C + c) * kernel + u] += sum[(u * O + o) * C + c];
}

}  // namespace imu2music::inline v0
