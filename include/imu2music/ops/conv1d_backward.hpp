// The gradients of conv1d() without its activation (ops/activation_backward.hpp; formulas:
// kernels/conv1d_backward_table.hpp).
//
// x, dx: [B, C, L]; w, dw: [O, C, kernel]; dy: [B, O, out]; db: [O]. Of the options, stride, dilation and
// padding count. Throws ShapeError.
#pragma once

#include <cpu/conv1d_backward.hpp>

#include "imu2music/ops/conv1d.hpp"

namespace imu2music::inline v0 {

namespace detail {

template <class T>
kernels::Conv1dBackwardArguments<T> conv1d_backward_arguments(const char* operation, const Tensor<T>& dy,
                                                              const Shape& x, const Shape& w,
                                                              const Conv1dOptions& options) {
  const auto fits = [&] {
    if (dy.rank() != 3 || x.rank() != 3 || w.rank() != 3 || dy.dim(0) != x[0] || dy.dim(1) != w[0] ||
        x[1] != w[1] || options.stride < 1 || options.dilation < 1 || options.pad_left < 0)
      return false;
    const std::int64_t room = x[2] + options.pad_left - (w[2] - 1) * options.dilation - 1;
    return room >= 0 && dy.dim(2) == room / options.stride + 1;
  };
  require(fits(), operation, [&] {
    return "gradient " + dy.shape().to_string() + " is not that of input " + x.to_string() + " and weight " +
           w.to_string();
  });
  kernels::Conv1dBackwardArguments<T> arguments;
  arguments.dy = dy.data();
  arguments.B = x[0], arguments.C = x[1], arguments.L = x[2];
  arguments.O = w[0], arguments.kernel = w[2];
  arguments.stride = options.stride, arguments.dilation = options.dilation;
  arguments.pad_left = options.pad_left;
  arguments.out = dy.dim(2);
  return arguments;
}

}  // namespace detail

// dx.
template <class T>
Tensor<T> conv1d_backward_input(Context& context, const Tensor<T>& dy, const Tensor<T>& w, std::int64_t L,
                                const Conv1dOptions& options) {
  const Shape x{dy.rank() == 3 ? dy.dim(0) : 0, w.rank() == 3 ? w.dim(1) : 0, L};
  kernels::Conv1dBackwardArguments<T> arguments =
      detail::conv1d_backward_arguments("conv1d_backward_input", dy, x, w.shape(), options);
  Tensor<T> dx = context.allocate<T>(x);
  arguments.w = w.data();
  arguments.dx = dx.data();
  const auto& table = context.table<kernels::Conv1dBackwardKernels<T>>();
  parallel_for(
      context.threads(), x[0] * x[1], detail::grain_for(arguments.out * arguments.O * arguments.kernel),
      [&](std::int64_t begin, std::int64_t end) { table.input(context.kernel(), arguments, begin, end); });
  return dx;
}

// Adds to dw and db; one that is undefined is left out.
template <class T>
void conv1d_backward_weight(Context& context, const Tensor<T>& dy, const Tensor<T>& x,
                            const Conv1dOptions& options, Tensor<T>& dw, Tensor<T>& db) {
  if (!dw.defined() && !db.defined()) return;
  const std::int64_t O = dy.rank() == 3 ? dy.dim(1) : 0;
  kernels::Conv1dBackwardArguments<T> arguments;
  if (dw.defined()) {
    arguments =
        detail::conv1d_backward_arguments("conv1d_backward_weight", dy, x.shape(), dw.shape(), options);
  } else {
    detail::require(dy.rank() == 3, "conv1d_backward_weight",
                    [&] { return "gradient " + dy.shape().to_string() + " must have three axes"; });
    arguments.dy = dy.data();
    arguments.B = dy.dim(0), arguments.O = O, arguments.out = dy.dim(2);
  }
  detail::require(!db.defined() || db.shape() == Shape{O}, "conv1d_backward_weight", [&] {
    return "bias " + db.shape().to_string() + " does not fit gradient " + dy.shape().to_string();
  });
  arguments.x = x.data();
  arguments.dw = dw.defined() ? dw.data() : nullptr;
  arguments.db = db.defined() ? db.data() : nullptr;
  const auto& table = context.table<kernels::Conv1dBackwardKernels<T>>();
  parallel_for(
      context.threads(), O,
      detail::grain_for(arguments.B * arguments.out * (arguments.C * arguments.kernel + 1)),
      [&](std::int64_t begin, std::int64_t end) { table.weight(context.kernel(), arguments, begin, end); });
}

}  // namespace imu2music::inline v0
