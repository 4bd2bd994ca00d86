// The gradients of conv2d() without scale, shift and activation (ops/activation_backward.hpp; formulas:
// kernels/conv2d_backward_table.hpp).
//
// x, dx: [B, C, H, W]; w, dw: [O, C, kernel_h, kernel_w]; dy: [B, O, out_h, out_w]; db: [O]. Of the options,
// strides and padding count. Throws ShapeError.
#pragma once

#include <cpu/conv2d_backward.hpp>

#include "imu2music/ops/conv2d.hpp"

namespace imu2music::inline v0 {

namespace detail {

template <class T>
kernels::Conv2dBackwardArguments<T> conv2d_backward_arguments(const char* operation, const Tensor<T>& dy,
                                                              const Shape& x, const Shape& w,
                                                              const Conv2dOptions& options) {
  const auto fits = [&] {
    if (dy.rank() != 4 || x.rank() != 4 || w.rank() != 4 || dy.dim(0) != x[0] || dy.dim(1) != w[0] ||
        x[1] != w[1] || options.stride_h < 1 || options.stride_w < 1 || options.pad_h < 0 ||
        options.pad_w < 0)
      return false;
    const std::int64_t room_h = x[2] + 2 * options.pad_h - w[2], room_w = x[3] + 2 * options.pad_w - w[3];
    return room_h >= 0 && room_w >= 0 && dy.dim(2) == room_h / options.stride_h + 1 &&
           dy.dim(3) == room_w / options.stride_w + 1;
  };
  require(fits(), operation, [&] {
    return "gradient " + dy.shape().to_string() + " is not that of input " + x.to_string() + " and weight " +
           w.to_string();
  });
  kernels::Conv2dBackwardArguments<T> arguments;
  arguments.dy = dy.data();
  arguments.B = x[0], arguments.C = x[1], arguments.H = x[2], arguments.W = x[3];
  arguments.O = w[0], arguments.kernel_h = w[2], arguments.kernel_w = w[3];
  arguments.stride_h = options.stride_h, arguments.stride_w = options.stride_w;
  arguments.pad_h = options.pad_h, arguments.pad_w = options.pad_w;
  arguments.out_h = dy.dim(2), arguments.out_w = dy.dim(3);
  return arguments;
}

}  // namespace detail

// dx.
template <class T>
Tensor<T> conv2d_backward_input(Context& context, const Tensor<T>& dy, const Tensor<T>& w, std::int64_t H,
                                std::int64_t W, const Conv2dOptions& options) {
  const Shape x{dy.rank() == 4 ? dy.dim(0) : 0, w.rank() == 4 ? w.dim(1) : 0, H, W};
  kernels::Conv2dBackwardArguments<T> arguments =
      detail::conv2d_backward_arguments("conv2d_backward_input", dy, x, w.shape(), options);
  Tensor<T> dx = context.allocate<T>(x);
  arguments.w = w.data();
  arguments.dx = dx.data();
  const auto& table = context.table<kernels::Conv2dBackwardKernels<T>>();
  const std::int64_t cost =
      arguments.out_h * arguments.out_w * arguments.O * arguments.kernel_h * arguments.kernel_w;
  parallel_for(
      context.threads(), x[0] * x[1], detail::grain_for(cost),
      [&](std::int64_t begin, std::int64_t end) { table.input(context.kernel(), arguments, begin, end); });
  return dx;
}

// Adds to dw and db; one that is undefined is left out.
template <class T>
void conv2d_backward_weight(Context& context, const Tensor<T>& dy, const Tensor<T>& x,
                            const Conv2dOptions& options, Tensor<T>& dw, Tensor<T>& db) {
  if (!dw.defined() && !db.defined()) return;
  const std::int64_t O = dy.rank() == 4 ? dy.dim(1) : 0;
  kernels::Conv2dBackwardArguments<T> arguments;
  if (dw.defined()) {
    arguments =
        detail::conv2d_backward_arguments("conv2d_backward_weight", dy, x.shape(), dw.shape(), options);
  } else {
    detail::require(dy.rank() == 4, "conv2d_backward_weight",
                    [&] { return "gradient " + dy.shape().to_string() + " must have four axes"; });
    arguments.dy = dy.data();
    arguments.B = dy.dim(0), arguments.O = O, arguments.out_h = dy.dim(2), arguments.out_w = dy.dim(3);
  }
  detail::require(!db.defined() || db.shape() == Shape{O}, "conv2d_backward_weight", [&] {
    return "bias " + db.shape().to_string() + " does not fit gradient " + dy.shape().to_string();
  });
  arguments.x = x.data();
  arguments.dw = dw.defined() ? dw.data() : nullptr;
  arguments.db = db.defined() ? db.data() : nullptr;
  const auto& table = context.table<kernels::Conv2dBackwardKernels<T>>();
  const std::int64_t cost = arguments.B * arguments.out_h * arguments.out_w *
                            (arguments.C * arguments.kernel_h * arguments.kernel_w + 1);
  parallel_for(context.threads(), O, detail::grain_for(cost), [&](std::int64_t begin, std::int64_t end) {
    table.weight(context.kernel(), arguments, begin, end);
  });
}

}  // namespace imu2music::inline v0
